// "Accept all": what is asked before every remaining proposal becomes a label.

import { $, many, percent } from "./dom.js";

// Resolves to whether the person said yes.
export function confirmRest(panel) {
  const wrong = Math.round(panel.waiting * (1 - panel.waiting_right));
  const expected = wrong ? `about ${wrong.toLocaleString("en")} of them wrong` : "hardly one of them wrong";
  $("rest-count").textContent =
    `${many(panel.waiting, panel.unit)} without a label would get what is proposed, by the model's own doubt ` +
    `${percent(panel.waiting_right, 2)} right: ${expected}. One act, which one undo takes back.`;
  $("rest-warning").hidden = panel.stop;
  $("rest-warning").textContent = `It is early: the estimate for the whole set is ${percent(panel.estimate.value)}, ` +
    `the aim ${+(100 * panel.target).toFixed(3)} %. A few more keys mend much of what would go wrong.`;
  const dialog = $("rest");
  dialog.returnValue = "";
  dialog.showModal();
  $(panel.stop ? "rest-yes" : "rest-no").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
