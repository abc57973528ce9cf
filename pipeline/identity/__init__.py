"""Who was signed in on a device, and when: pure values in, pure values out, the same answer in any order."""
