// « Écouter »: the service speaks the text of the form, as it would on the telephone.
"use strict";
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-hear]");
  if (!button) return;
  const language = button.dataset.language;
  const text = button.closest("form").elements[`text_${language}`].value;
  button.disabled = true;
  try {
    const answer = await fetch(button.dataset.hear, {
      method: "POST",
      headers: { "X-CSRF-Token": document.body.dataset.csrf, "HX-Request": "true" },
      body: new URLSearchParams({ language, text }),
    });
    const problem = document.getElementById("problem");
    if (!answer.ok) { problem.innerHTML = await answer.text(); problem.scrollIntoView(); return; }
    problem.textContent = "";
    let player = button.parentElement.querySelector("audio");
    if (!player) {
      player = document.createElement("audio");
      player.controls = true;
      button.after(player);
    }
    player.src = URL.createObjectURL(await answer.blob());
    player.play().catch(() => {});
  } finally {
    button.disabled = false;
  }
});
