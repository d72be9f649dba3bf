// Fetches the page every two seconds and swaps what changed. Without it the page is complete, but stands still.
"use strict";

const EVERY_MS = 2000;
const TIMEOUT_MS = 10000;
const live = document.getElementById("live");
let lastSeen = new Date();

function say(text, state) {
  live.textContent = text;
  live.className = `live ${state}`;
}

function isReading() {
  const selection = document.getSelection();
  return document.hidden || (selection !== null && !selection.isCollapsed);
}

function swap(next) {
  for (const selector of ["main", "#up"]) {
    const here = document.querySelector(selector);
    const there = next.querySelector(selector);
    if (here !== null && there !== null && here.innerHTML !== there.innerHTML) {
      here.replaceWith(there);
    }
  }
  document.title = next.title;
  document.getElementById("icon").href = next.getElementById("icon").href;
}

async function refresh() {
  if (!isReading()) {
    try {
      const answer = await fetch(location.pathname, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (!answer.ok) {
        throw new Error(`HTTP ${answer.status}`);
      }
      swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
      lastSeen = new Date();
      say("live", "on");
    } catch (error) {
      say(`no answer since ${lastSeen.toLocaleTimeString()}`, "lost");
    }
  }
  setTimeout(refresh, EVERY_MS);
}

say("live", "on");
setTimeout(refresh, EVERY_MS);
