// A part of the page that is being fetched says so; one that renews itself now and then does not.
(() => {
  document.addEventListener("htmx:beforeRequest", ({ detail: { elt, target } }) => {
    if (!elt.getAttribute("hx-trigger")?.includes("every")) target.setAttribute("aria-busy", "true");
  });
  document.addEventListener("htmx:afterRequest", ({ detail: { target } }) => target.removeAttribute("aria-busy"));
})();
