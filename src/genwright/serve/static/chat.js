// The page works through htmx; this file adds the keyboard, focus, and what a broken stream leaves behind.
"use strict";

const form = document.getElementById("ask");
const question = document.getElementById("question");
const log = document.getElementById("log");
const [send, stop] = [document.getElementById("send"), document.getElementById("stop")];
const announcer = document.getElementById("announcer");
let asked = "";
let follows = true;
let cite = null;

function working(is) {
  if (!is && document.activeElement === stop) question.focus();
  send.hidden = is;
  stop.hidden = !is;
}

function problem(words) {
  const shown = document.createElement("p");
  shown.className = "problem";
  shown.setAttribute("role", "alert");
  shown.textContent = words;
  log.append(shown);
}

question.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  if (question.value.trim()) form.requestSubmit();
});

form.addEventListener("htmx:before:request", () => {
  asked = question.value;
  question.value = "";
  announcer.textContent = "";
  follows = true;
  working(true);
});

function giveBack() {
  if (!question.value) question.value = asked;
}

form.addEventListener("htmx:response:error", giveBack);
form.addEventListener("htmx:error", () => {
  giveBack();
  problem("The server cannot be reached.");
});

form.addEventListener("htmx:finally:request", () => {
  working(false);
  for (const turn of log.querySelectorAll("[aria-busy=true]")) {
    turn.removeAttribute("aria-busy");
    if (turn.querySelector(".end") || turn.querySelector(".problem")) continue;
    turn.querySelector(".state").textContent = "The answer was broken off.";
    announcer.textContent = "The answer was broken off.";
  }
});

stop.addEventListener("click", () => form.dispatchEvent(new CustomEvent("htmx:abort")));

log.addEventListener("scroll", () => {
  follows = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
});

form.addEventListener("htmx:after:swap", () => {
  if (follows && !log.contains(document.activeElement)) log.scrollTop = log.scrollHeight;
});

log.addEventListener("click", (event) => {
  const link = event.target.closest("a.cite");
  const source = link && document.getElementById(link.hash.slice(1));
  if (!source) return;
  event.preventDefault();
  cite = link;
  source.open = true;
  source.querySelector("summary").focus();
  source.scrollIntoView({ block: "nearest" });
});

log.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !event.target.closest("details.source") || !cite) return;
  cite.focus();
  cite = null;
});
