// Records an announcement in the browser, one for each language, and sends them as WAV.
"use strict";
(() => {
  // The file that a telephone's voice fits into: one channel of 16 bit.
  const RATE = 16000;

  const wav = async (blob) => {
    const context = new OfflineAudioContext(1, 1, RATE);
    const sound = await context.decodeAudioData(await blob.arrayBuffer());
    const samples = sound.getChannelData(0);
    const view = new DataView(new ArrayBuffer(44 + samples.length * 2));
    const word = (at, text) => [...text].forEach((sign, n) => view.setUint8(at + n, sign.charCodeAt(0)));
    word(0, "RIFF"); view.setUint32(4, 36 + samples.length * 2, true); word(8, "WAVEfmt ");
    view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, 1, true);
    view.setUint32(24, RATE, true); view.setUint32(28, RATE * 2, true); view.setUint16(32, 2, true);
    view.setUint16(34, 16, true); word(36, "data"); view.setUint32(40, samples.length * 2, true);
    samples.forEach((one, n) => view.setInt16(44 + n * 2, Math.max(-1, Math.min(1, one)) * 32767, true));
    return new Blob([view], { type: "audio/wav" });
  };

  const show = (text) => {
    const line = document.createElement("p");
    line.className = "problem";
    line.setAttribute("role", "alert");
    line.textContent = text;
    document.getElementById("problem").replaceChildren(line);
  };

  for (const place of document.querySelectorAll("[data-record]")) {
    const takes = new Map();
    const buttons = [...place.querySelectorAll("[data-take]")];
    const send = place.querySelector("[data-send]");
    for (const button of buttons) {
      let recorder = null, busy = false;
      // The player moves the buttons below it: it stands there before the page says that this is done.
      const keep = async (parts) => {
        const take = await wav(new Blob(parts));
        takes.set(button.dataset.take, take);
        let player = button.parentElement.querySelector("audio");
        if (!player) { player = document.createElement("audio"); player.controls = true; button.after(player); }
        player.src = URL.createObjectURL(take);
        send.disabled = takes.size < buttons.length;
      };
      button.addEventListener("click", async () => {
        // Disabled, it would lose the keyboard's focus.
        if (busy) return;
        busy = true;
        if (recorder) { recorder.stop(); return; }
        try {
          const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
          const parts = [];
          const started = new MediaRecorder(stream);
          started.addEventListener("dataavailable", (event) => parts.push(event.data));
          started.addEventListener("stop", async () => {
            stream.getTracks().forEach((track) => track.stop());
            recorder = null;
            try { await keep(parts); } catch { show(place.dataset.empty); }
            button.textContent = button.dataset.again;
            busy = false;
          });
          started.start();
          recorder = started;
          button.textContent = button.dataset.stop;
        } catch { show(place.dataset.denied); }
        busy = false;
      });
    }
    send.addEventListener("click", async () => {
      const form = new FormData();
      for (const [language, take] of takes) form.append(language, take, `${language}.wav`);
      send.disabled = true;
      const answer = await fetch(place.dataset.record, {
        method: "POST", headers: { "X-CSRF-Token": document.body.dataset.csrf, "HX-Request": "true" }, body: form,
      });
      if (answer.ok) { location.reload(); return; }
      document.getElementById("problem").innerHTML = await answer.text();
      send.disabled = false;
    });
  }
})();
