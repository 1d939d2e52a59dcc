// Asking before something is done that cannot be undone.

const dialog = () => document.getElementById("ask");

// ask resolves to whether the person at the page wants it. what is the question, why what
// will happen, yes the button.
export function ask(what, why, yes) {
  const d = dialog();
  d.querySelector("h2").textContent = what;
  d.querySelector("p").textContent = why;
  d.querySelector("[value=yes]").textContent = yes;
  d.returnValue = "";
  d.showModal();
  return new Promise((resolve) => {
    d.addEventListener("close", () => resolve(d.returnValue === "yes"), { once: true });
  });
}

// said shows the outcome of a request in an element with role=status.
export function said(element, text, kind = "") {
  element.textContent = text;
  element.dataset.kind = kind;
}
