"use strict";
// One sound at a time; a line runs through all figures of its section; a click on a figure plays
// from there.
for (const section of document.querySelectorAll("section")) {
  const players = [...section.querySelectorAll("audio")];
  if (!players.length) continue;
  const figures = [...section.querySelectorAll("svg.figure[data-end]")];
  let current = players[0];
  const draw = () => {
    for (const svg of figures) {
      const { left, right, end } = svg.dataset;
      const x = +left + (right - left) * Math.min(current.currentTime / end, 1);
      const head = svg.querySelector(".playhead");
      head.setAttribute("x1", x);
      head.setAttribute("x2", x);
      head.style.visibility = "visible";
    }
    if (!current.paused) requestAnimationFrame(draw);
  };
  for (const player of players) {
    player.addEventListener("play", () => {
      for (const other of document.querySelectorAll("audio")) if (other !== player) other.pause();
      current = player;
      draw();
    });
    player.addEventListener("seeked", () => { current = player; draw(); });
  }
  for (const svg of figures) {
    svg.addEventListener("click", (event) => {
      const { left, right, end } = svg.dataset;
      const point = new DOMPoint(event.clientX, event.clientY);
      const { x } = point.matrixTransform(svg.getScreenCTM().inverse());
      if (x < left || x > right) return;
      current = svg.closest("figure").querySelector("audio") ?? current;
      current.currentTime = ((x - left) / (right - left)) * end;
      current.play();
    });
  }
}
