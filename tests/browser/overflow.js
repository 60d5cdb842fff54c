// What of a page is cut off, sticks out, or breaks inside a word or a number: a sentence for each, for what `selector` finds.
selector => {
  const WORD = /\d+(?:[.,:\-\/]\d+)*(?![\p{L}_])|[\p{L}\p{N}_]+/gu;
  const found = new Set();
  const say = (what, element, text) => found.add(`${what}: ${(text ?? element.innerText ?? element.textContent).replace(/\s+/g, " ").trim().slice(0, 80)} <${element.tagName.toLowerCase()} class="${element.getAttribute("class") ?? ""}">`);
  const is_text = element => [...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim());
  const for_ears_only = element => element.clientWidth <= 1 && element.clientHeight <= 1;
  const pen = document.createElement("canvas").getContext("2d");
  const width_of = (text, style) => { pen.font = style.font; return pen.measureText(text).width; };

  const check_words = (node, element) => {
    for (const match of node.data.matchAll(WORD)) {
      const range = document.createRange();
      range.setStart(node, match.index);
      range.setEnd(node, match.index + match[0].length);
      const lines = [...range.getClientRects()].filter(line => line.width > 0);
      const room = element.closest("td, th, div, p, li, pre, figcaption, caption")?.clientWidth ?? 0;
      const broken = lines.some(line => Math.abs(line.top - lines[0].top) > line.height / 2);
      if (broken && lines.reduce((sum, line) => sum + line.width, 0) < room) say("breaks inside a word", element, match[0]);
    }
  };
  const check_control = (element, style) => {
    const room = element.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    if (element.matches("input") && !element.value && width_of(element.placeholder, style) > room + 1) say("placeholder is cut off", element, element.placeholder);
    if (element.matches("select") && width_of(element.selectedOptions[0]?.text ?? "", style) > room - 14) say("choice is cut off", element, element.selectedOptions[0].text);
    if (element.matches("textarea") && !element.value && element.scrollHeight > element.clientHeight + 1) say("placeholder is cut off", element, element.placeholder);
  };
  const check = (element, edge) => {
    const style = getComputedStyle(element), box = element.getBoundingClientRect();
    if (element.matches("style, script") || !element.checkVisibility() || !box.width || for_ears_only(element)) return;
    if (box.right > edge + 1) return say(`sticks out by ${Math.round(box.right - edge)} px`, element);
    if (element.matches("input, select, textarea")) return check_control(element, style);
    if (style.overflowX !== "visible" && element.scrollWidth > element.clientWidth + 1) return say(`is ${element.scrollWidth - element.clientWidth} px wider than what shows it`, element);
    if (["hidden", "clip"].includes(style.overflowY) && is_text(element) && element.scrollHeight > element.clientHeight + 2) say("is higher than what shows it", element);
    for (const node of element.childNodes) {
      if (node.nodeType === Node.TEXT_NODE) check_words(node, element);
      else if (node.nodeType === Node.ELEMENT_NODE && !node.matches("svg")) check(node, edge);
      else if (node.nodeType === Node.ELEMENT_NODE) for (const label of node.querySelectorAll("foreignObject > *")) check(label, node.getBoundingClientRect().right);
    }
  };
  const roots = [...document.querySelectorAll(selector)];
  if (!roots.length) found.add(`nothing is ${selector}`);
  for (const root of roots) check(root, (root.parentElement.closest(".jp-OutputArea-output, main") ?? document.documentElement).getBoundingClientRect().right);
  return [...found];
}
