// Times that go on counting, what every htmx request carries, and word when the connection is lost.
"use strict";
(() => {
  // A board hears a pulse every 5 s.
  const SILENCE_MS = 12000;

  document.addEventListener("htmx:configRequest", (event) => {
    event.detail.headers["X-CSRF-Token"] = document.body.dataset.csrf;
  });

  // A file is put where it could have been pasted. Spreadsheets here may still write Windows' signs.
  document.addEventListener("change", async (event) => {
    const chosen = event.target.closest("[data-into]");
    if (!chosen || !chosen.files.length) return;
    const bytes = await chosen.files[0].arrayBuffer();
    let text;
    const [first, second] = new Uint8Array(bytes);
    const wide = first === 0xff && second === 0xfe ? "utf-16le" : first === 0xfe && second === 0xff ? "utf-16be" : null;
    try { text = new TextDecoder(wide ?? "utf-8", { fatal: true }).decode(bytes); }
    catch { text = new TextDecoder("windows-1252").decode(bytes); }
    chosen.form.elements[chosen.dataset.into].value = text;
  });

  // The same file, mended in the meantime, is a choice too.
  document.addEventListener("click", (event) => {
    if (event.target.matches("[data-into]")) event.target.value = "";
  });

  // What is wrong is told beside the field as well, and the first such field is where one goes on.
  let sent = null;
  document.addEventListener("htmx:beforeRequest", (event) => {
    sent = event.detail.elt.closest("form");
    for (const one of document.querySelectorAll(".field-problem")) one.remove();
    for (const one of document.querySelectorAll("[aria-invalid]")) {
      one.removeAttribute("aria-invalid");
      one.setAttribute("aria-describedby", one.dataset.described);
      if (!one.dataset.described) one.removeAttribute("aria-describedby");
    }
  });
  const fieldOf = (form, name) => {
    // As in phones.1: what is wrong with one line of several is told at the field that holds them.
    for (let left = name; left; left = left.slice(0, Math.max(0, left.lastIndexOf(".")))) {
      const found = form.elements.namedItem(left);
      if (found) return found instanceof RadioNodeList ? found[0] : found;
    }
    return null;
  };
  document.addEventListener("htmx:afterSwap", (event) => {
    // What a stream swaps in is no answer to a form, and says no target.
    const problem = event.detail.target;
    if (!problem || problem.id !== "problem" || !sent) return;
    let first = null;
    for (const said of problem.querySelectorAll("[data-field]")) {
      const field = fieldOf(sent, said.dataset.field);
      if (!field || field.type === "hidden" || field.getAttribute("aria-invalid")) continue;
      const told = document.createElement("p");
      told.className = "field-problem";
      told.id = `problem-of-${said.dataset.field}`;
      told.textContent = said.textContent;
      (field.closest("fieldset, label") || field).after(told);
      field.setAttribute("aria-invalid", "true");
      field.dataset.described = field.getAttribute("aria-describedby") || "";
      field.setAttribute("aria-describedby", `${told.id} ${field.dataset.described}`.trim());
      first = first || field;
    }
    if (first) first.focus();
  });

  const spoken = (seconds) => {
    const whole = Math.max(0, Math.floor(seconds));
    const two = (n) => String(n).padStart(2, "0");
    return whole >= 3600
      ? `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))}`
      : `${Math.floor(whole / 60)}:${two(whole % 60)}`;
  };

  // The service's clock may differ from this machine's.
  const clock = document.querySelector("[data-now]");
  const ahead = clock ? Date.parse(clock.dataset.now) - Date.now() : 0;

  const count = () => {
    const now = Date.now() + ahead;
    for (const one of document.querySelectorAll("time[data-since]"))
      one.textContent = spoken((now - Date.parse(one.dateTime)) / 1000);
    for (const one of document.querySelectorAll("time[data-until]")) {
      const left = (Date.parse(one.dateTime) - now) / 1000;
      one.textContent = (left < 0 ? "−" : "") + spoken(Math.abs(left));
    }
  };
  count();
  setInterval(count, 1000);
  document.addEventListener("htmx:sseMessage", count);

  // A connection can die without a word; one that is silent is opened anew.
  let source = null;
  htmx.createEventSource = (url) => (source = new EventSource(url));
  const reopen = () => {
    if (!source) return;
    source.close();
    source.onerror(new Event("error"));
  };

  const lost = document.getElementById("lost");
  if (lost && document.querySelector("[data-live]")) {
    let heard = Date.now();
    const tell = (away) => {
      if (lost.hidden !== !away) {
        lost.textContent = away ? lost.dataset.said : "";
        lost.hidden = !away;
      }
    };
    document.addEventListener("htmx:sseMessage", () => { heard = Date.now(); tell(false); });
    document.addEventListener("htmx:sseError", () => tell(true));
    setInterval(() => {
      if (Date.now() - heard <= SILENCE_MS) return;
      heard = Date.now();
      tell(true);
      reopen();
      // Whoever was signed out in the meantime is asked to sign in.
      fetch(location.href, { redirect: "manual" })
        .then((answer) => { if (answer.type === "opaqueredirect") location.reload(); })
        .catch(() => {});
    }, 1000);
  }
})();
