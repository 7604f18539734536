/* What the theme leaves out: names of tabs on paper, and reaching everything that
   scrolls sideways with a keyboard. */
document.addEventListener("DOMContentLoaded", () => {
  "use strict";
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const panel = document.getElementById(tab.getAttribute("aria-controls"));
    if (panel) panel.dataset.name = tab.textContent;
  }

  const boxes = document.querySelectorAll(
    ".rst-content pre, .rst-content figure, .wy-table-responsive",
  );
  const reach = (box) => {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  };
  const watch = new ResizeObserver((seen) => seen.forEach((s) => reach(s.target)));
  boxes.forEach((box) => watch.observe(box));
});

// A page from a file can't be read by another: results go without excerpts.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
