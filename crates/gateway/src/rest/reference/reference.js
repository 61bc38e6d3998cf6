// Shows /v1/openapi.json. Everything from the description goes into the page as text nodes.
"use strict";

const LABELS = {
  en: {
    title: "Server API reference", filter: "Filter", other: "中文", parameters: "Parameters", body: "Body",
    answers: "Answers", refusals: "Refusals", try: "Example", app: "app key and API secret", admin: "admin token",
    open: "no key", none: "Nothing matches.", failed: "The description could not be loaded: ",
    more: "The description itself: ",
  },
  zh: {
    title: "服务端 API 参考", filter: "筛选", other: "English", parameters: "参数", body: "请求体",
    answers: "响应", refusals: "错误", try: "示例", app: "App Key 与 API Secret", admin: "管理员令牌",
    open: "无需密钥", none: "没有匹配的接口。", failed: "无法加载接口描述：",
    more: "接口描述文件：",
  },
};

const stored = () => { try { return localStorage.getItem("anser-docs-language"); } catch { return null; } };
let language = stored() ?? (navigator.language.startsWith("zh") ? "zh" : "en");
let api;

const label = (name) => LABELS[language][name];

function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null));
  return node;
}

// Plain text with `code` in it.
function prose(text, attributes = {}) {
  const paragraphs = text.split("\n\n").map((paragraph) =>
    element("p", {}, ...paragraph.split("`").map((part, at) => (at % 2 ? element("code", {}, part) : part))));
  return element("div", attributes, ...paragraphs);
}

const resolve = (schema) => (schema?.$ref ? api.components.schemas[schema.$ref.split("/").pop()] : schema);

// `anyOf`/`oneOf` of one thing and null is that thing, optional.
function plain(schema) {
  const choices = schema?.oneOf ?? schema?.anyOf;
  const real = choices?.filter((choice) => choice.type !== "null");
  return resolve(real?.length === 1 ? { ...real[0] } : schema) ?? {};
}

function typeOf(schema) {
  const type = [plain(schema).type ?? "object"].flat().filter((one) => one !== "null").join(" | ");
  const { enum: values, items, minimum, maximum, minLength, maxLength, maxItems, default: initial, pattern } = plain(schema);
  const notes = [];
  if (values) notes.push(values.join(" | "));
  if (items) notes.push(`of ${typeOf(items)}`);
  if (minimum || maximum !== undefined) notes.push(`${minimum ?? ""}–${maximum === 2 ** 53 - 1 ? "2⁵³−1" : maximum ?? ""}`);
  if (minLength !== undefined || maxLength !== undefined) notes.push(`${minLength ?? 0}–${maxLength ?? ""}`);
  if (maxItems !== undefined) notes.push(`≤ ${maxItems}`);
  if (pattern) notes.push(pattern);
  if (initial !== undefined && initial !== "") notes.push(`= ${JSON.stringify(initial)}`);
  return [type, ...notes].join(" · ");
}

function row(name, must, schema, description, nested) {
  return element("tr", nested ? { class: "nested" } : {},
    element("td", {}, element("span", must ? { class: "must" } : {}, name)),
    element("td", {}, typeOf(schema)),
    element("td", {}, prose(description ?? plain(schema).description ?? "")));
}

function fields(schema, depth = 0) {
  const { properties = {}, required = [] } = plain(schema);
  return Object.entries(properties).flatMap(([name, property]) => {
    const own = row(name, required.includes(name), property, property.description, depth > 0);
    const inner = plain(property).type === "array" ? plain(property).items : property;
    return depth < 2 && plain(inner).properties ? [own, ...fields(inner, depth + 1)] : [own];
  });
}

function table(rows) {
  return rows.length ? element("table", {}, element("tbody", {}, ...rows)) : null;
}

function sample(schema, depth = 0) {
  const own = plain(schema);
  if (own.example !== undefined) return own.example;
  if (own.properties) {
    const wanted = Object.entries(own.properties).filter(([name, property]) =>
      (own.required ?? []).includes(name) || property.example !== undefined);
    return depth > 3 ? {} : Object.fromEntries(wanted.map(([name, property]) => [name, sample(property, depth + 1)]));
  }
  if (own.type === "array") return [sample(own.items, depth + 1)];
  return { string: "…", integer: own.minimum ?? 0, boolean: false }[[own.type].flat()[0]] ?? "…";
}

function command(method, path, operation) {
  const key = operation.security?.some((one) => one.app) ? ' -u "$APP_KEY:$API_SECRET"'
    : operation.security?.some((one) => one.admin) ? ' -H "Authorization: Bearer $ADMIN_TOKEN"' : "";
  const filled = path.replaceAll("{conversation}", "p%2Falice%2Fbob").replaceAll("{user_id}", "alice")
    .replaceAll("{group_id}", "team").replaceAll("{app_key}", "default");
  const schema = operation.requestBody?.content["application/json"]?.schema;
  const body = schema ? ` \\\n  -H 'Content-Type: application/json' -d '${JSON.stringify(sample(schema))}'` : "";
  const verb = method === "get" ? "" : ` -X ${method.toUpperCase()}`;
  return `curl${verb}${key} ${location.origin}${filled}${body}`;
}

function showOperation(method, path, operation) {
  const locks = (operation.security ?? []).flatMap(Object.keys);
  const parameters = (operation.parameters ?? []).map((one) => row(one.name, one.required, one.schema, one.description));
  const body = operation.requestBody?.content["application/json"]?.schema;
  const answers = Object.entries(operation.responses);
  const good = answers.filter(([status]) => status < "400");
  const bad = answers.filter(([status]) => status >= "400");
  return element("article", { id: operation.operationId },
    element("h3", {},
      element("span", { class: `method ${method}` }, method.toUpperCase()),
      element("span", { class: "path" }, path),
      element("span", { class: "summary" }, operation.summary),
      element("span", { class: "lock" }, locks.length ? locks.map(label).join(" / ") : label("open"))),
    element("div", {},
      operation.description ? prose(operation.description) : null,
      parameters.length ? element("h4", {}, label("parameters")) : null, table(parameters),
      body ? element("h4", {}, label("body")) : null, body ? table(fields(body)) : null,
      element("h4", {}, label("answers")),
      ...good.flatMap(([status, answer]) => [
        prose(`\`${status}\` ${answer.description}`),
        table(fields(answer.content?.["application/json"]?.schema)),
      ]),
      bad.length ? element("details", {}, element("summary", {}, label("refusals")),
        element("table", {}, element("tbody", {}, ...bad.map(([status, answer]) =>
          element("tr", {}, element("td", {}, status), element("td", { colspan: "2" }, answer.description)))))) : null,
      element("h4", {}, label("try")),
      element("pre", {}, command(method, path, operation))));
}

function show() {
  document.documentElement.lang = language;
  document.querySelector("[data-label=title]").textContent = label("title");
  document.getElementById("language").textContent = label("other");
  const filter = document.getElementById("filter");
  filter.placeholder = label("filter");
  filter.setAttribute("aria-label", label("filter"));
  const reference = document.getElementById("reference");
  const contents = document.getElementById("contents");
  if (!api) return;

  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const operations = Object.entries(api.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ method, path, operation })));
  const wanted = operations.filter(({ method, path, operation }) => {
    const text = `${method} ${path} ${operation.summary} ${operation.description ?? ""}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const sections = api.tags.map(({ name, description }) => ({
    name, description, found: wanted.filter(({ operation }) => operation.tags[0] === name),
  })).filter(({ found }) => found.length);

  contents.replaceChildren(...sections.flatMap(({ name, found }) => [
    element("h2", {}, name),
    ...found.map(({ operation }) => element("a", { href: `#${operation.operationId}` }, operation.summary)),
  ]));
  const about = words.length ? [] : [
    prose(api.info.description, { class: "about" }),
    element("p", { class: "about" }, label("more"), element("a", { href: "/v1/openapi.json" }, "/v1/openapi.json")),
  ];
  reference.replaceChildren(...about, ...sections.map(({ name, description, found }) =>
    element("section", {}, element("h2", {}, name), prose(description, { class: "tag empty" }),
      ...found.map(({ method, path, operation }) => showOperation(method, path, operation)))));
  if (!sections.length) reference.append(element("p", { class: "empty" }, label("none")));
}

document.getElementById("filter").addEventListener("input", show);
document.getElementById("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  try { localStorage.setItem("anser-docs-language", language); } catch { /* a private window: not kept */ }
  show();
});
show();
fetch("/v1/openapi.json")
  .then((answer) => { if (!answer.ok) throw new Error(`HTTP ${answer.status}`); return answer.json(); })
  .then((description) => {
    api = description;
    show();
    if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  })
  .catch((error) => { document.getElementById("reference").textContent = label("failed") + error.message; });
