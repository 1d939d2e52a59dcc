// Tables and lists that are touched only where something has changed: what a reader
// has selected, or is about to press, stays where it is.

export function cell(tag, text, className = "") {
  const e = document.createElement(tag);
  e.textContent = text;
  if (className) e.className = className;
  return e;
}

// placed lets an address break in front of its colons and behind its slashes, which is where a
// reader would break it, and nowhere within its words; the text stays the same.
export function placed(element) {
  const parts = element.textContent.split(/(?=:)|(?<=\/)/);
  element.replaceChildren(...parts.flatMap((part, i) => (i === 0 ? [part] : [document.createElement("wbr"), part])));
  element.classList.add("placed");
  return element;
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// rows makes body have one row for each list of cells; a cell is its text.
export function rows(body, all, make) {
  while (body.rows.length > all.length) body.rows[body.rows.length - 1].remove();
  all.forEach((texts, i) => {
    let row = body.rows[i];
    if (!row) {
      row = make();
      body.append(row);
    }
    texts.forEach((text, j) => setText(row.cells[j].querySelector(".text") ?? row.cells[j], text));
  });
}

// reach makes what scrolls sideways or down reachable by the keyboard, and only that:
// a stop that does nothing is in the way.
export function reach(element) {
  const look = () => {
    const scrolls = element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1;
    if (scrolls) element.tabIndex = 0;
    else if (document.activeElement !== element) element.removeAttribute("tabindex");
    element.classList.toggle("scrolls", element.scrollWidth > element.clientWidth + 1);
  };
  const watcher = new ResizeObserver(look);
  watcher.observe(element);
  for (const child of element.children) watcher.observe(child);
  // A resize is told of with the next frame: a list that has just grown would be out of reach until then.
  new MutationObserver(look).observe(element, { childList: true, subtree: true, characterData: true });
  look();
}
