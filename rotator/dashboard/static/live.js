// Keeps the parts of a page that are live as they are at the server. Without it everything works; it only looks again.
"use strict";

(() => {
  const main = document.querySelector("main[data-live]");
  if (!main) return;
  const every = Math.max(Number(main.dataset.live) || 5, 2) * 1000;
  const SLOWEST = 30000;

  let timer = 0;
  let stopped = false;
  let failed = 0;
  let seen = new Date();
  let asking = null;

  // -- what it says of itself --------------------------------------------------------------------------------------

  const bar = document.createElement("div");
  bar.className = "live";
  const dot = document.createElement("span");
  dot.className = "dot";
  dot.setAttribute("aria-hidden", "true");
  const words = document.createElement("span");
  const loud = document.createElement("span");
  loud.setAttribute("role", "status");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  bar.append(dot, words, loud, button);
  main.prepend(bar);

  const clock = (at) => at.toISOString().slice(11, 19) + " UTC";

  function say(state, text, aloud) {
    bar.dataset.state = state;
    words.textContent = aloud ? "" : text;
    if ((loud.textContent || "") !== (aloud ? text : "")) loud.textContent = aloud ? text : "";
    button.textContent = stopped ? "Go on refreshing" : "Stop refreshing";
  }

  function standing() {
    if (stopped) say("stopped", "As of " + clock(seen) + ", and it stays so. ", false);
    else say("live", "Live, as of " + clock(seen) + " ", false);
  }

  // -- taking up what changed --------------------------------------------------------------------------------------

  // Whoever is in the middle of something is left alone: where the focus is, and where a form is open.
  function busy(part) {
    const at = document.activeElement;
    if (at && at !== document.body && part.contains(at)) return true;
    if (part.querySelector("details[open]")) return true;
    const chosen = document.getSelection();
    return Boolean(chosen && !chosen.isCollapsed && part.contains(chosen.anchorNode));
  }

  // What differs at every look and says nothing.
  function same(one, other) {
    return one.isEqualNode(other) || plain(one) === plain(other);
  }

  function plain(part) {
    const copy = part.cloneNode(true);
    for (const each of copy.querySelectorAll('input[name="once"]')) each.value = "";
    return copy.outerHTML;
  }

  function take(part, fresh) {
    if (part.hidden !== fresh.hidden) part.hidden = fresh.hidden;
    if (same(part, fresh)) return;
    if ("keyed" in part.dataset) return takeEach(part, fresh);
    if (!busy(part)) part.replaceWith(document.importNode(fresh, true));
  }

  function takeEach(part, fresh) {
    const wanted = new Map([...fresh.children].map((each) => [each.id, each]));
    for (const each of [...part.children]) {
      if (!wanted.has(each.id) && !busy(each)) each.remove();
    }
    let before = null;
    for (const each of fresh.children) {
      const there = each.id ? part.querySelector("#" + CSS.escape(each.id)) : null;
      let now = there;
      if (!there) {
        now = document.importNode(each, true);
        part.insertBefore(now, before ? before.nextSibling : part.firstChild);
      } else if (!same(there, each) && !busy(there)) {
        now = document.importNode(each, true);
        there.replaceWith(now);
      }
      before = now;
    }
  }

  function takeAll(text) {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    if (!fresh.querySelector("main")) throw new Error("no page");
    for (const part of document.querySelectorAll("[data-part]")) {
      const other = fresh.getElementById(part.id);
      if (other) take(part, other);
    }
    if (document.title !== fresh.title) document.title = fresh.title;
  }

  // -- looking -----------------------------------------------------------------------------------------------------

  async function look() {
    asking = new AbortController();
    const patience = setTimeout(() => asking.abort(), 10000);
    try {
      const answer = await fetch(location.href, {
        headers: { Accept: "text/html" },
        credentials: "same-origin",
        cache: "no-store",
        redirect: "error",
        signal: asking.signal,
      });
      if (answer.status === 401 || answer.status === 403) {
        stopped = true;
        say("lost", "You are signed out: load this page again. What you see is of " + clock(seen) + ". ", true);
        return;
      }
      if (!answer.ok) throw new Error(String(answer.status));
      const text = await answer.text();
      if (stopped || document.hidden) return;
      takeAll(text);
      seen = new Date();
      failed = 0;
      standing();
    } catch (error) {
      if (stopped || document.hidden) return;
      failed += 1;
      if (failed > 1) say("lost", "The server does not answer. What you see is of " + clock(seen) + ". ", true);
    } finally {
      clearTimeout(patience);
      asking = null;
      again();
    }
  }

  function again() {
    clearTimeout(timer);
    if (stopped || document.hidden) return;
    timer = setTimeout(look, Math.min(every * 2 ** Math.min(failed, 4), Math.max(SLOWEST, every)));
  }

  button.addEventListener("click", () => {
    stopped = !stopped;
    clearTimeout(timer);
    standing();
    if (!stopped) look();
  });

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) {
      if (asking) asking.abort();
    } else if (!stopped && !asking) {
      look();
    }
  });

  window.addEventListener("online", () => {
    clearTimeout(timer);
    if (!stopped && !document.hidden && !asking) look();
  });

  standing();
  again();
})();
