// The menu of versions, from the list that every version carries (versions.js).
(function () {
  "use strict";

  // The address of this page below the root of its version.
  function pageOf(root) {
    const path = decodeURI(window.location.pathname);
    const below = decodeURI(root.pathname);
    const page = path.startsWith(below) ? path.slice(below.length) : "";
    return page === "" || page.endsWith("/") ? page + "index.html" : page;
  }

  function menuOf(known, root) {
    const menu = document.createElement("select");
    menu.setAttribute("aria-label", "Version of these pages");
    for (const version of known.versions) {
      const option = new Option(version.name, version.name);
      option.selected = version.name === known.current;
      menu.append(option);
    }
    menu.addEventListener("change", () => {
      const version = known.versions.find((one) => one.name === menu.value);
      const page = pageOf(root);
      const there = version.pages.includes(page);
      const target = new URL(
        "../" + version.name + "/" + (there ? page : "index.html"),
        root,
      );
      target.hash = there ? window.location.hash : "";
      window.location.assign(target);
    });
    return menu;
  }

  document.addEventListener("DOMContentLoaded", () => {
    const known = window.siteVersions;
    const place = document.querySelector(".wy-side-nav-search");
    if (!known || !place) {
      return;
    }
    const shown = document.createElement("div");
    shown.className = "site-version";
    const root = new URL(
      document.documentElement.dataset.content_root || "./",
      window.location.href,
    );
    if (known.versions.length > 1) {
      shown.append(menuOf(known, root));
    } else {
      shown.textContent = "Version " + known.current;
    }
    place.append(shown);
    // Going back brings the page as it was left, with the other version chosen.
    window.addEventListener("pageshow", () => {
      const menu = shown.querySelector("select");
      if (menu) {
        menu.value = known.current;
      }
    });
  });
})();
