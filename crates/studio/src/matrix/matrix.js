"use strict";
// A click on a cell shows its sound in the panel and plays it; arrow keys go from cell to cell.
{
  const sounds = JSON.parse(document.getElementById("sounds").textContent);
  const panel = document.getElementById("panel");
  const figures = ["source", "played"].map((id) => document.getElementById(id));
  const players = figures.map((figure) => figure.querySelector("audio"));
  const links = [...document.querySelectorAll("table.matrix a")];
  const show = (path) => {
    const sound = sounds[path];
    document.getElementById("panel-title").textContent = sound.title;
    document.getElementById("panel-facts").replaceChildren(...sound.facts.map(([name, value]) => {
      const fact = document.createElement("div");
      for (const [tag, text] of [["dt", name], ["dd", value]]) {
        fact.append(Object.assign(document.createElement(tag), { textContent: text }));
      }
      return fact;
    }));
    figures.forEach((figure, i) => {
      const files = sound[figure.id];
      figure.hidden = !files;
      players[i].pause();
      if (!files) return;
      // The phrase stays loaded from one cell of its row to the next.
      if (players[i].getAttribute("src") !== files[0]) players[i].src = files[0];
      figure.querySelector("img").src = files[1];
    });
    panel.hidden = false;
    for (const link of links) link.classList.toggle("chosen", link.getAttribute("href") === path);
  };
  const play = (path) => {
    show(path);
    const player = players[sounds[path].played ? 1 : 0];
    player.currentTime = 0;
    player.play();
  };
  players.forEach((player, i) => player.addEventListener("play", () => players[1 - i].pause()));
  for (const link of links) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      play(link.getAttribute("href"));
    });
    link.addEventListener("keydown", (event) => {
      const cell = link.parentElement, row = cell.parentElement, column = cell.cellIndex;
      const next = {
        ArrowLeft: cell.previousElementSibling,
        ArrowRight: cell.nextElementSibling,
        ArrowUp: row.previousElementSibling?.cells[column],
        ArrowDown: row.nextElementSibling?.cells[column],
      }[event.key]?.querySelector("a");
      if (!next) return;
      event.preventDefault();
      next.focus();
    });
  }
  document.getElementById("panel-close").addEventListener("click", () => {
    players.forEach((player) => player.pause());
    panel.hidden = true;
  });
  // A link to the page with #audio/… opens with that sound.
  const asked = decodeURIComponent(location.hash.slice(1));
  if (sounds[asked]) show(asked);
}
