// The fields that take a group's name. A field of one line cannot hold a line break,
// and blanks in it are not seen: such a name stands there as it is shown elsewhere, and
// the field remembers which one is meant until it is typed into.

import { visibleName } from "./format.js";

const meant = new WeakMap(); // field to name
let offered = []; // names

// setGroup puts a name into a field.
export function setGroup(field, name) {
  const shown = visibleName(name);
  field.value = shown;
  if (shown === name) meant.delete(field);
  else meant.set(field, name);
  field.title = shown;
}

// groupOf is the name that a field means.
export const groupOf = (field) => meant.get(field) ?? field.value;

export function startGroupField(field) {
  field.addEventListener("input", () => {
    meant.delete(field);
    field.title = "";
    // One that was picked from the list comes as it is shown there.
    if (offered.includes(field.value)) return;
    const name = offered.find((n) => visibleName(n) === field.value);
    if (name !== undefined) meant.set(field, name);
  });
}

// offerGroups lists names below the fields.
export function offerGroups(names) {
  if (JSON.stringify(names) === JSON.stringify(offered)) return;
  offered = [...names];
  document.getElementById("group-names").replaceChildren(...names.map((name) => {
    const option = document.createElement("option");
    option.value = visibleName(name);
    return option;
  }));
}
