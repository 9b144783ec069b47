// Draws the operations of the API from its own document. What the document says of itself stands above already.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("swagger-ui");
  const withoutHead = () => ({ wrapComponents: { InfoContainer: () => () => null } });
  SwaggerUIBundle({
    domNode: place,
    url: place.dataset.document,
    layout: "BaseLayout",
    docExpansion: "list",
    defaultModelsExpandDepth: -1,
    presets: [SwaggerUIBundle.presets.apis],
    plugins: [withoutHead],
  });
});
