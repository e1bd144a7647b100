// The explorer's page: four views, chosen by the address after #, over the JSON below api/.

const $ = (selector, root = document) => root.querySelector(selector);
const tenths = new Intl.NumberFormat("en", { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });
const small = new Intl.NumberFormat("en", { style: "percent", maximumSignificantDigits: 2 });
const percent = { format: (share) => (share > 0 && share < 0.01 ? small : tenths).format(share) };
const number = new Intl.NumberFormat("en");
let run;

const element = (tag, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
};

// --- asking and telling -------------------------------------------------------------------------

async function ask(path, options) {
  let answer;
  try {
    // says of which explorer this page is: another may be served at the same address by now
    answer = await fetch(path, { ...options, headers: { ...options?.headers, ...(run && { "X-Opened": run.opened }) } });
  } catch {
    throw new Error("The explorer does not answer: is elastic-infogan explore still running?");
  }
  if (answer.ok) return answer.json();
  const text = await answer.text();
  let line = text;
  try { line = JSON.parse(text).error ?? text; } catch { /* the guard answers in plain text */ }
  throw new Error(line.trim() || `The explorer answered with status ${answer.status}.`);
}

const json = (method, content) => ({
  method, body: JSON.stringify(content), headers: { "Content-Type": "application/json" },
});

let timer;
function tell(id, text, seconds) {
  for (const other of ["status", "problem"]) $("#" + other).textContent = other === id ? text : "";
  clearTimeout(timer);
  timer = setTimeout(() => { $("#" + id).textContent = ""; }, seconds * 1000);
}
const say = (text) => tell("status", text, 4);
const complain = (error) => tell("problem", error.message, 12);
const announce = (text) => { $("#heard").textContent = text; }; // for those who do not see what changed
const trying = (work) => (...given) => Promise.resolve(work(...given)).catch(complain);

// --- views --------------------------------------------------------------------------------------

const views = { classes: showClasses, class: showClass, make: showMake, recognise: () => "Recognise" };
let opened = false;
let seen; // the class that was looked at last, if nothing else was since

async function route() {
  const address = location.hash;
  if (opened && address === "#main") return;
  const [name, given] = address.slice(2).split("/");
  const code = given ? Number(given) : undefined;
  const known = Object.hasOwn(views, name) && (code === undefined || Object.hasOwn(run.codes, code));
  const view = known ? name : "classes";
  const title = await views[view](code);
  if (location.hash !== address) return; // somewhere else was asked for meanwhile
  if ($("#detail").open) $("#detail").close();
  for (const section of document.querySelectorAll("main > section")) section.hidden = section.id !== view;
  for (const link of document.querySelectorAll("nav a:not(.button)")) {
    const here = link.getAttribute("href") === "#/" + (view === "class" ? "classes" : view);
    here ? link.setAttribute("aria-current", "page") : link.removeAttribute("aria-current");
  }
  document.title = `${title} – ${run.run}`;
  if (opened) {
    scrollTo(0, 0);
    const back = view === "classes" && seen !== undefined ? $(`#cards a[href="#/class/${classOf(seen).code}"]`) : null;
    (back ?? $(`#${view}-title`)).focus({ preventScroll: !back }); // at the list one goes on where one left it
  }
  opened = true;
  seen = view === "class" ? code ?? 0 : undefined;
}

const classOf = (code) => run.classes.find((item) => item.codes.includes(code));

function use(summary) {
  run = { ...run, ...summary };
  $("#run").textContent = run.run;
  const colour = run.channels === 1 ? "grey" : "colour";
  $("#facts").textContent = `${number.format(run.images)} images of ${run.source} · ${run.classes.length} classes · ${run.size}×${run.size} ${colour}`;
  $("#answer").hidden = true; // it is by the names and merges of before
}

// --- classes ------------------------------------------------------------------------------------

const chosen = new Set();

function showClasses() {
  const order = $("#order").value === "share" ? (a, b) => b.count - a.count || a.code - b.code : (a, b) => a.code - b.code;
  const largest = Math.max(...run.classes.map((item) => item.share), 1e-9);
  $("#cards").replaceChildren(...[...run.classes].sort(order).map((item) => card(item, largest)));
  showAlike();
  showChosen();
  return "Classes";
}

// What the diagnosis takes for one kind, but for what has been merged since.
function showAlike() {
  const pairs = run.alike.map((codes) => [...new Set(codes.map(classOf))]).filter((items) => items.length > 1);
  $("#alike").hidden = !pairs.length;
  $("#alike").replaceChildren("These look alike:", ...pairs.map((items) => {
    const tick = element("button", { textContent: items.map((item) => item.title).join(" + ") });
    tick.addEventListener("click", () => {
      chosen.clear();
      for (const item of items) chosen.add(item.code);
      showClasses();
      $("#merge").focus({ preventScroll: true });
    });
    return tick;
  }));
}

const examples = (item) => `api/classes/${item.code}/examples.png?of=${item.codes}&opened=${run.opened}`;

function card(item, largest) {
  const id = `name-${item.code}`;
  const pictures = item.count
    ? element("img", { src: examples(item), alt: "", loading: "lazy" })
    : element("p", { className: "quiet", textContent: "no images" });
  const mosaic = element("a", { className: "mosaic", href: `#/class/${item.code}` }, pictures);
  mosaic.setAttribute("aria-label", `Browse ${item.title}: ${number.format(item.count)} images`);
  const name = element("input", { id, value: item.name, maxLength: 60, autocomplete: "off", placeholder: `Name class ${item.codes.join(" + ")}` });
  // A name that could not be saved is marked, and Enter tries again: without a change of text no event comes.
  const save = trying(async () => {
    name.setAttribute("aria-invalid", "true");
    await rename(item.code, name.value);
    name.removeAttribute("aria-invalid");
  });
  name.addEventListener("change", save);
  name.addEventListener("keydown", (event) => { if (event.key === "Enter" && name.ariaInvalid === "true") save(); });
  const tick = element("input", { type: "checkbox", checked: chosen.has(item.code) });
  tick.setAttribute("aria-label", `Choose ${item.title} for a merge`);
  const share = element("span");
  share.style.width = `${100 * item.share / largest}%`;
  const made = element("li", { className: "card" }, mosaic,
    element("div", { className: "naming" },
      element("label", { className: "away", htmlFor: id, textContent: `Name of class ${item.codes.join(" and ")}` }), name,
      element("label", {}, tick, "merge")),
    element("div", { className: "share" }, share),
    element("p", { className: "quiet", textContent: numbers(item) }));
  made.classList.toggle("chosen", tick.checked);
  tick.addEventListener("change", () => {
    tick.checked ? chosen.add(item.code) : chosen.delete(item.code);
    made.classList.toggle("chosen", tick.checked);
    showChosen();
  });
  return made;
}

function numbers(item) {
  const codes = item.codes.length > 1 ? `classes ${item.codes.join(" + ")} · ` : item.name ? `class ${item.code} · ` : "";
  return `${codes}${percent.format(item.share)} · ${number.format(item.count)} images · prior\u00a0${percent.format(item.prior)}`;
}

function showChosen() {
  const items = [...chosen].map(classOf);
  $("#merging").hidden = !items.length;
  $("#merge").disabled = items.length < 2;
  const titles = items.map((item) => item.title).join(" + ");
  $("#chosen").replaceChildren(
    ...items.filter((item) => item.count).map((item) => element("img", { src: examples(item), alt: "" })),
    items.length < 2 ? `${titles}: tick what it is the same as` : titles);
}

async function rename(code, name) {
  use(await ask(`api/classes/${code}/name`, json("PUT", { name })));
  if (!$("#class").hidden && classOf(code).codes.includes(shown.code)) showHeading();
  const item = classOf(code);
  say(item.name ? `Saved: class ${item.codes.join(" + ")} is ${item.name}` : `Class ${code} has no name any more`);
  const field = $(`#name-${item.code}`);
  if (field) {
    const focused = document.activeElement;
    const card = field.closest(".card");
    $(".mosaic", card).setAttribute("aria-label", `Browse ${item.title}: ${number.format(item.count)} images`);
    $("input[type=checkbox]", card).setAttribute("aria-label", `Choose ${item.title} for a merge`);
    if (field.value === name) field.value = item.name; // else something was typed since
    $(":scope > p", card).textContent = numbers(item);
    focused?.focus();
    showAlike();
    showChosen();
  }
}

let merging = false;
async function merge() {
  if (merging) return;
  merging = true;
  const codes = [...chosen];
  try { use(await ask("api/merges", json("POST", { codes }))); } finally { merging = false; }
  const item = classOf(codes[0]);
  chosen.clear();
  showClasses();
  say(`Merged: classes ${item.codes.join(" + ")} count as one, ${item.title}`);
  $(`#name-${item.code}`).focus();
}

// --- one class ----------------------------------------------------------------------------------

const shown = { code: 0, order: "typical", page: 0, pages: 1 };

async function showClass(code = 0) {
  Object.assign(shown, { code, page: 0 });
  const title = showHeading(); // at once: the form beneath acts on the class that is headed
  $("#images").replaceChildren();
  await showImages();
  return title;
}

function showHeading() {
  const item = classOf(shown.code);
  $("#class-title").textContent = item.title;
  $("#class-name").value = item.name;
  $("#make-these").href = `#/make/${item.code}`;
  $("#merged").hidden = item.codes.length < 2;
  $("#merged span").textContent = `Classes ${item.codes.join(" + ")} count as one.`;
  return item.title;
}

async function showImages() {
  const { code, order, page } = shown;
  const found = await ask(`api/classes/${code}/images?order=${order}&page=${page}`);
  if (code !== shown.code || order !== shown.order || page !== shown.page) return;
  shown.pages = found.pages;
  $("#images").replaceChildren(...found.images.map((image, place) => {
    const open = element("button", { type: "button", title: image.name },
      element("img", { src: image.source, alt: `Image ${image.name}` }));
    if (order === "uncertain") {
      const two = image.likely.slice(0, 2).map((x) => element("span", { textContent: `${x.title} ${percent.format(x.probability)}` }));
      open.append(...two);
    }
    open.addEventListener("click", () => showDetail(place, found.images));
    return element("li", {}, open);
  }));
  $("#page").textContent = found.total ? `Page ${page + 1} of ${number.format(found.pages)} · ${number.format(found.total)} images` : "No images";
  setEnds($("#previous"), $("#next"), page === 0, page + 1 >= found.pages);
  $("#go").hidden = found.pages < 3;
  [$("#go").max, $("#go").value] = [found.pages, ""];
  for (const button of document.querySelectorAll("[data-order]")) button.setAttribute("aria-pressed", button.dataset.order === order);
}

function setEnds(back, on, atStart, atEnd) {
  const held = document.activeElement; // a button that is disabled would lose the focus to the document
  [back.disabled, on.disabled] = [atStart, atEnd];
  if (held === back && atStart) on.focus();
  if (held === on && atEnd) back.focus();
}

async function turn(change) {
  const { order, page } = shown;
  Object.assign(shown, change);
  try { await showImages(); } catch (error) { Object.assign(shown, { order, page }); throw error; }
  announce($("#page").textContent);
}

function showDetail(place, images) {
  const image = images[place];
  $("#detail-image").src = `${image.whole}?opened=${run.opened}`;
  $("#detail-image").alt = `Image ${image.name}`;
  $("#detail-name").textContent = image.name;
  showLikely($("#detail-likely"), image.likely);
  $("#earlier").onclick = () => showDetail(place - 1, images);
  $("#later").onclick = () => showDetail(place + 1, images);
  setEnds($("#earlier"), $("#later"), place === 0, place === images.length - 1);
  if (!$("#detail").open) $("#detail").showModal();
}

function showLikely(list, likely) {
  list.replaceChildren(...likely.map((item) => {
    const bar = element("span");
    bar.style.width = `${100 * item.probability}%`;
    return element("li", {}, element("b", { textContent: item.title }), element("div", { className: "share" }, bar),
      element("em", { textContent: percent.format(item.probability) }));
  }));
}

// --- make ---------------------------------------------------------------------------------------

const ROWS = 5;
const sliders = { walk: [], continuous: [] };

function addSliders() {
  for (let i = 0; i < run.walk; i++) sliders.walk.push(slider("#walk", `Direction ${i + 1}`, 5, 0.1, "0"));
  for (let i = 0; i < run.continuous; i++) sliders.continuous.push(slider("#continuous", `Code ${i + 1}`, 1, 0.05, "random"));
  $("#walk-set").hidden = !run.walk;
  $("#continuous-set").hidden = !run.continuous;
}

function slider(parent, text, most, step, untouched) {
  const range = element("input", { type: "range", min: -most, max: most, step, value: 0 });
  const output = element("output", { textContent: untouched });
  $(parent).append(element("label", { className: "slider" }, text, range, output));
  const made = { value: null, range, reset() { range.value = 0; output.textContent = untouched; made.value = null; } };
  range.addEventListener("input", () => { made.value = Number(range.value); output.textContent = made.value.toFixed(step < 0.1 ? 2 : 1); });
  return made;
}

function showMake(code) {
  const option = (title, value) => element("option", { value, textContent: title });
  const titles = run.codes.map((title, k) => option(title === `Class ${k}` ? title : `${k} · ${title}`, k));
  const [first, second] = [$("#first"), $("#second")];
  const before = code === undefined ? [first.value || 0, second.value] : [code, ""];
  if (code !== undefined) [...sliders.walk, ...sliders.continuous].forEach((item) => item.reset());
  first.replaceChildren(...titles);
  second.replaceChildren(option("nothing", ""), ...titles.map((made) => made.cloneNode(true)));
  [first.value, second.value] = before;
  makeNow();
  return "Make";
}

function wish() {
  const second = $("#second").value;
  return {
    first: Number($("#first").value), second: second === "" ? null : Number(second),
    count: second === "" ? 24 : ROWS, seed: Number($("#seed").value),
    walk: sliders.walk.map((item) => item.value ?? 0), continuous: sliders.continuous.map((item) => item.value),
  };
}

let making = false, again = false, toTell = false;
const makeNow = trying(async () => {
  if (!$("#seed").checkValidity()) return; // said once the field is left
  again = true;
  if (making) return;
  making = true;
  try {
    while (again) {
      again = false;
      const asked = wish();
      const { images } = await ask("api/make", json("POST", asked));
      showMade(images, asked);
      if (toTell && !again) { toTell = false; sayMade(); }
    }
  } finally { making = false; }
});

function showMade(images, asked) {
  const list = $("#made");
  const mixed = asked.second !== null;
  while (list.children.length > images.length) list.lastChild.remove();
  while (list.children.length < images.length) list.append(element("li", {}, element("img")));
  const titles = [asked.first, asked.second].map((code) => run.codes[code]);
  images.forEach((source, place) => {
    const image = list.children[place].firstChild;
    image.src = source;
    image.alt = mixed ? `New image, ${place % 9} eighths of the way from ${titles[0]} to ${titles[1]}` : `New image ${place + 1} of ${titles[0]}`;
  });
  list.classList.toggle("mixed", mixed);
  $("#ends").hidden = !mixed;
  [...$("#ends").children].forEach((end, side) => { end.textContent = titles[side]; });
  const steered = asked.walk.some(Boolean) || asked.continuous.some((value) => value !== null);
  $("#command").hidden = mixed || steered;
  $("#command code").textContent = `elastic-infogan generate RUN --classes ${asked.first} --per-class ${asked.count} --seed ${asked.seed} --out new.png`;
}

const sayMade = () => announce(`${$("#made").children.length} new images, seed ${$("#seed").value}`);

function afterChange() {
  if (!$("#seed").checkValidity()) complain(new Error("The seed is a whole number from 0 to 2,000,000,000."));
  else if (making) toTell = true;
  else sayMade();
}

function makeAndTell() {
  toTell = true;
  makeNow();
}

// --- recognise ----------------------------------------------------------------------------------

const SURE = 0.8; // a picture of no kind that the run knows gets an answer too, but rarely so sure a one
let latest = 0; // of several pictures in quick succession the last one counts
const recognise = trying(async (file) => {
  if (!file) return;
  const turn = ++latest;
  $("#answer").hidden = true;
  if (file.size > run.limits.bytes) throw new Error(`This file has more than ${run.limits.bytes / 2 ** 20} MB.`);
  let answer;
  try {
    answer = await ask("api/recognise", { method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } });
  } catch (error) { if (turn === latest) throw error; }
  if (turn !== latest) return;
  const { source, likely } = answer;
  $("#seen").src = source;
  const how = likely[0].probability < SURE ? "Not sure; closest to" : "This looks like";
  tell("status", "", 0); // what was wrong with an earlier picture is over
  $("#how").textContent = how;
  $("#found").textContent = likely[0].title;
  $("#found").href = `#/class/${likely[0].code}`;
  showLikely($("#likely"), likely);
  $("#answer").hidden = false;
  announce(`${how} ${likely[0].title}, ${percent.format(likely[0].probability)}`);
});

// --- start --------------------------------------------------------------------------------------

function listen() {
  addEventListener("hashchange", trying(route));
  $("#order").addEventListener("change", showClasses);
  $("#merge").addEventListener("click", trying(merge));
  $("#clear").addEventListener("click", () => { chosen.clear(); showClasses(); $("#classes-title").focus(); });
  $("#rename").addEventListener("submit", trying(async (event) => {
    event.preventDefault();
    await rename(shown.code, $("#class-name").value);
    const title = showHeading();
    if (!$("#class").hidden) document.title = `${title} – ${run.run}`;
    await showImages();
  }));
  $("#separate").addEventListener("click", trying(async () => {
    use(await ask(`api/merges/${shown.code}`, { method: "DELETE" }));
    say("Separated");
    location.hash = "#/classes";
  }));
  for (const button of document.querySelectorAll("[data-order]")) button.addEventListener("click", trying(() => turn({ order: button.dataset.order, page: 0 })));
  $("#previous").addEventListener("click", trying(() => turn({ page: Math.max(shown.page - 1, 0) })));
  $("#next").addEventListener("click", trying(() => turn({ page: Math.min(shown.page + 1, shown.pages - 1) })));
  $("#go").addEventListener("change", trying(() => {
    if ($("#go").value && $("#go").checkValidity()) return turn({ page: Number($("#go").value) - 1 });
  }));
  $("#close").addEventListener("click", () => $("#detail").close());
  $("#detail").addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return; // the browser's own, such as going back
    ({ ArrowLeft: $("#earlier"), ArrowRight: $("#later") })[event.key]?.click();
  });
  $("#wish").addEventListener("submit", (event) => event.preventDefault());
  $("#wish").addEventListener("input", makeNow);
  $("#wish").addEventListener("change", afterChange);
  $("#another").addEventListener("click", () => { $("#seed").value = Math.floor(Math.random() * 1e6); makeAndTell(); });
  $("#reset").addEventListener("click", () => { [...sliders.walk, ...sliders.continuous].forEach((item) => item.reset()); makeAndTell(); });
  $("#file").addEventListener("change", () => { recognise($("#file").files[0]); $("#file").value = ""; });
  const drop = $("#drop");
  const isFile = (event) => event.dataTransfer.types.includes("Files"); // text goes where it is dropped
  addEventListener("dragover", (event) => { if (isFile(event)) { event.preventDefault(); drop.classList.add("over"); } });
  addEventListener("dragleave", () => drop.classList.remove("over"));
  addEventListener("drop", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length) { location.hash = "#/recognise"; recognise(event.dataTransfer.files[0]); }
  });
  addEventListener("paste", (event) => {
    if (event.target.closest?.("input:not([type=file]), select, textarea")) return; // copied cells are a picture too
    if (event.clipboardData.files.length) { location.hash = "#/recognise"; recognise(event.clipboardData.files[0]); }
  });
}

trying(async () => {
  // the token is in a cookie by now, and need not stay where others can read it
  if (location.search) history.replaceState(null, "", location.pathname + location.hash);
  use(await ask("api/run"));
  document.body.classList.toggle("pixels", run.size <= 64);
  $("#limits").textContent = `JPEG, PNG, WebP, GIF, TIFF or BMP, at most ${run.limits.bytes / 2 ** 20} MB and ${run.limits.megapixels} megapixels. It stays on the machine that serves this page.`;
  addSliders();
  listen();
  await route();
})();
