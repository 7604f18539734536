/* Light or dark: what the reader chose here before, or what the system says. Runs
   before the page is painted, so that no wrong color flashes up. */
(() => {
  "use strict";
  const KEY = "theme";
  const system = matchMedia("(prefers-color-scheme: dark)");

  const remembered = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // The browser keeps nothing for this page.
    }
  };

  const show = () => {
    const theme = remembered() ?? (system.matches ? "dark" : "light");
    document.documentElement.dataset.theme = theme;
    const other = theme === "dark" ? "light" : "dark";
    for (const button of document.querySelectorAll(".theme-choice")) {
      button.setAttribute("aria-label", `Switch to ${other} colors`);
      button.title = button.getAttribute("aria-label");
    }
  };

  const choose = () => {
    const now = document.documentElement.dataset.theme;
    const next = now === "dark" ? "light" : "dark";
    try {
      // Whoever chooses what the system says follows the system again.
      if ((next === "dark") === system.matches) localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, next);
    } catch {
      document.documentElement.dataset.theme = next;
      return;
    }
    show();
  };

  show();
  system.addEventListener("change", show);
  addEventListener("storage", show); // Chosen in another window.
  document.addEventListener("DOMContentLoaded", () => {
    show();
    for (const button of document.querySelectorAll(".theme-choice")) {
      button.addEventListener("click", choose);
    }
  });
})();
