"""The tracker script, its types and how they are sent; it must not know what the script sends back."""
