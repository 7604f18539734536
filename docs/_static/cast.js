/* Plays a terminal recording whose whole text stands in the page. Nothing moves until
   a reader asks for it; for whom motion is too much, it goes step by step. */
document.addEventListener("DOMContentLoaded", () => {
  "use strict";
  const clock = (s) =>
    `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;

  for (const cast of document.querySelectorAll(".cast")) {
    const find = (name) => cast.querySelector(`.cast-${name}`);
    const [screen, play, place, time] = ["screen", "play", "place", "time"].map(find);
    const lines = [...screen.querySelectorAll("[data-at]")];
    const at = lines.map((line) => Number(line.dataset.at));
    const steps = lines.flatMap((line, i) =>
      line.classList.contains("cast-step") ? [{ at: at[i], says: line.textContent.trim() }] : [],
    );
    const end = at.at(-1) + 1;
    const still = matchMedia("(prefers-reduced-motion: reduce)");
    let now = end;
    let playing = null; // The number of the next frame.

    const show = () => {
      lines.forEach((line, i) => {
        line.hidden = at[i] > now;
      });
      if (now < end) screen.scrollTop = screen.scrollHeight;
      place.value = now;
      const step = steps.findLast((s) => s.at <= now);
      const position = `${clock(now)} of ${clock(end)}`;
      time.textContent = position;
      place.setAttribute("aria-valuetext", step ? `${position}: ${step.says}` : position);
    };

    const pause = () => {
      if (playing !== null) cancelAnimationFrame(playing);
      playing = null;
      play.textContent = "Play";
    };

    const goTo = (s) => {
      pause();
      now = Math.min(Math.max(s, 0), end);
      show();
    };

    const start = () => {
      if (now >= end) now = 0;
      play.textContent = "Pause";
      let before = performance.now();
      const frame = (t) => {
        now += Math.max(t - before, 0) / 1000;
        before = t;
        if (now >= end) return goTo(end);
        show();
        playing = requestAnimationFrame(frame);
      };
      playing = requestAnimationFrame(frame);
    };

    /* A step is shown whole: up to just before the next one begins. */
    const ends = [...steps.slice(1).map((s) => s.at - 0.01), end];
    const next = () => ends.find((s) => s > (now >= end ? 0 : now) + 0.05) ?? end;
    const last = () => ends.findLast((s) => s < now - 0.05) ?? 0;

    play.addEventListener("click", () => (playing === null ? start() : pause()));
    find("on").addEventListener("click", () => goTo(next()));
    find("back").addEventListener("click", () => goTo(last()));
    place.addEventListener("input", () => goTo(Number(place.value)));
    const choosePlay = () => {
      if (still.matches) pause();
      play.hidden = still.matches;
    };
    still.addEventListener("change", choosePlay);
    addEventListener("beforeprint", () => goTo(end));

    choosePlay();
    place.max = end;
    find("controls").hidden = false;
    cast.classList.add("plays");
    show();
  }
});
