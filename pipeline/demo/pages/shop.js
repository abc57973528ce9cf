// The shop's own state, per device: who is signed in and what is in the basket. Tells the tracker what happens.
"use strict";
(() => {
  const { tracker } = window;
  const kept = (name) => `shop.${name}.${window.name}`;
  const byId = (id) => document.getElementById(id);
  const read = (name, empty) => JSON.parse(localStorage.getItem(kept(name)) ?? JSON.stringify(empty));
  const write = (name, value) => localStorage.setItem(kept(name), JSON.stringify(value));
  const say = (text) => (byId("said").textContent = text);

  function showHeader() {
    const account = read("account", null);
    const many = Object.values(read("basket", {})).reduce((sum, times) => sum + times, 0);
    byId("account-link").textContent = account ? account.name.split(" ")[0] : "Sign in";
    byId("count").textContent = many;
    byId("count").hidden = !many;
  }

  function itemPage(button) {
    const { sku, price } = button.dataset;
    button.addEventListener("click", () => {
      const basket = read("basket", {});
      write("basket", { ...basket, [sku]: (basket[sku] ?? 0) + 1 });
      tracker.track("add_to_basket", { sku, price: Number(price) });
      showHeader();
      say("In your basket.");
    });
  }

  function basketPage(order) {
    const show = () => {
      const basket = read("basket", {});
      let total = 0;
      for (const row of document.querySelectorAll("[data-sku]")) {
        const times = basket[row.dataset.sku] ?? 0;
        row.hidden = !times;
        row.querySelector(".times").textContent = `× ${times}`;
        total += times * Number(row.dataset.price);
      }
      byId("total").textContent = total;
      byId("full").hidden = !total;
      byId("empty").hidden = Boolean(total);
      return total;
    };
    order.addEventListener("click", () => {
      tracker.track("order", { items: read("basket", {}) }, { revenue: show(), currency: "EUR" });
      write("basket", {});
      show();
      showHeader();
      say("Thank you. Your order is on its way to nowhere: this shop is made up.");
    });
    show();
  }

  function accountPage(form) {
    const show = () => {
      const account = read("account", null);
      form.hidden = Boolean(account);
      byId("signed-in").hidden = !account;
      byId("hello").textContent = account ? `Hello, ${account.name}.` : "";
      showHeader();
    };
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const chosen = form.elements.account;
      const { value } = chosen;
      const { name } = form.querySelector(`[value="${value}"]`).dataset;
      write("account", { id: value, name });
      tracker.identify(value);
      show();
      byId("hello").focus();
    });
    byId("sign-out").addEventListener("click", () => {
      write("account", null);
      tracker.logout();
      show();
      form.querySelector("input").focus();
    });
    show();
  }

  showHeader();
  if (byId("add")) itemPage(byId("add"));
  if (byId("order")) basketPage(byId("order"));
  if (byId("sign-in")) accountPage(byId("sign-in"));
})();
