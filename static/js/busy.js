// A part of the page that is being fetched says so, and is dimmed; one that renews itself now and then does not.
(() => {
  const dimmed = new WeakMap(); // no style of its own: htmx would copy that, which the policy refuses

  document.addEventListener("htmx:beforeRequest", ({ detail: { elt, target } }) => {
    if (elt.getAttribute("hx-trigger")?.includes("every")) return;
    target.setAttribute("aria-busy", "true");
    dimmed.set(target, target.animate({ opacity: 0.5 }, { fill: "forwards" }));
  });
  document.addEventListener("htmx:afterRequest", ({ detail: { target } }) => {
    target.removeAttribute("aria-busy");
    dimmed.get(target)?.cancel();
  });
})();
