"use strict";
/* what any request may get is told once, under "Errors" */
const ANYWHERE = ["400", "401", "408", "413", "415", "417", "429", "501", "503"];
const METHODS = ["get", "head", "options", "post", "put", "patch", "delete"];
let api;

/* element("p", {class: "soft"}, "text", child …): text is never read as HTML */
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}
/* prose with `code` in it; a blank line begins a new paragraph */
function prose(text) {
  return (text || "").split(/\n\n+/).filter(Boolean).map(part => element("p", {}, ...inline(part)));
}
function inline(text) {
  return (text || "").split("`").map((part, n) => n % 2 ? element("code", {}, part) : part);
}
/* a path may be broken before its slashes */
const breakable = path => path.split(/(?=\/)/).flatMap(part => [element("wbr"), part]);
function resolved(thing) {
  let seen = thing;
  while (seen && seen.$ref) {
    const target = seen.$ref.slice(2).split("/").reduce((found, key) => found[key], api);
    const {$ref, ...beside} = seen;
    seen = {...target, ...beside};
  }
  return seen || {};
}
const options = schema => (schema.anyOf || schema.oneOf || []).map(resolved);
const present = schema => options(schema).filter(option => option.type !== "null");

function typeOf(given) {
  const schema = resolved(given);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map(value => JSON.stringify(value)).join(" | ");
  if (options(schema).length) return options(schema).map(typeOf).join(" | ");
  if (schema.type === "array") return `list of ${typeOf(schema.items || {})}`;
  if (schema.type === "object" && schema.title) return schema.title;
  if (schema.format === "binary") return "file";
  return schema.type || "anything";
}
function limitsOf(given, withDefault = true) {
  const schema = {...(present(resolved(given)).length === 1 ? present(resolved(given))[0] : {}), ...resolved(given)};
  const words = [];
  const between = (low, high, unit) => {
    if (low !== undefined && high !== undefined) words.push(`${low} to ${high}${unit}`);
    else if (low === 1 && unit) words.push("not empty");
    else if (low) words.push(`at least ${low}${unit}`);
    else if (high !== undefined) words.push(`at most ${high}${unit}`);
  };
  between(schema.minLength, schema.maxLength, " characters");
  between(schema.minItems, schema.maxItems, " entries");
  between(schema.minimum, schema.maximum, "");
  if (schema.format) words.push(["password", "date-time", "binary"].includes(schema.format) ? null : schema.format);
  else if (schema.pattern) words.push("`" + schema.pattern + "`");
  if (withDefault && schema.default !== undefined && schema.default !== null && schema.default !== "")
    words.push("default `" + JSON.stringify(schema.default) + "`");
  return [schema.description, words.filter(Boolean).join("; ")].filter(Boolean).join(" ");
}
function sample(given, depth = 0) {
  const schema = resolved(given);
  if (schema.examples) return schema.examples[0];
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return schema.enum[0];
  if (options(schema).length) return present(schema).length && depth < 6 ? sample(present(schema)[0], depth) : null;
  if (schema.type === "array") return schema.items && depth < 6 ? [sample(schema.items, depth + 1)] : [];
  if (schema.type === "object") {
    const made = {};
    for (const [name, field] of Object.entries(schema.properties || {}))
      if (!resolved(field).deprecated) made[name] = sample(field, depth + 1);
    if (!schema.properties && schema.additionalProperties && schema.additionalProperties !== true)
      made["…"] = sample(schema.additionalProperties, depth + 1);
    return made;
  }
  if (schema.default !== undefined) return schema.default;
  return {string: "…", integer: 0, number: 0, boolean: true}[schema.type] ?? null;
}
/* the object that a field holds, alone or in a list or beside null */
function within(given) {
  const schema = resolved(given);
  if (schema.properties) return schema;
  if (schema.type === "array") return within(schema.items);
  const found = present(schema).map(within).filter(Boolean);
  return found.length === 1 ? found[0] : null;
}
function fieldRows(schema, depth, rows, word) {
  for (const [name, field] of Object.entries(schema.properties || {})) {
    const required = (schema.required || []).includes(name);
    rows.push(element("tr", {},
      element("td", {class: `in${Math.min(depth, 4)}`}, element("code", {}, name)),
      element("td", {}, typeOf(field)),
      element("td", {}, required ? word : resolved(field).deprecated ? "older name" : "optional"),
      element("td", {}, ...inline(limitsOf(field, word === "required")))));
    const inner = within(field);
    if (inner && depth < 4) fieldRows(inner, depth + 1, rows, word);
  }
  return rows;
}
function table(heads, rows) {
  return element("div", {class: "table"}, element("table", {},
    element("thead", {}, element("tr", {}, ...heads.map(head => element("th", {scope: "col"}, head)))),
    element("tbody", {}, ...rows)));
}
function schemaParts(given, word) {
  const schema = resolved(given), parts = [...prose(schema.description)];
  const inner = schema.properties ? [schema] : [...new Set(present(schema).map(within).filter(Boolean))];
  for (const one of inner) {
    if (inner.length > 1) parts.push(element("p", {class: "soft"}, one.title || ""));
    parts.push(table(["Field", "Type", word === "always" ? "Given" : "Needed", "What"], fieldRows(one, 0, [], word)));
  }
  return parts;
}
const json = value => JSON.stringify(value, null, 2);

function curlOf(method, path, operation) {
  const filled = path.replace(/{(\w+)}/g, (_, name) => {
    const parameter = (operation.parameters || []).map(resolved).find(p => p.in === "path" && p.name === name);
    return encodeURIComponent(parameter ? sample(parameter.schema) : name);
  });
  const query = (operation.parameters || []).map(resolved).filter(p => p.in === "query" && p.required)
    .map(p => `${p.name}=${encodeURIComponent(sample(p.schema))}`).join("&");
  const socket = operation.responses["101"];
  const required = (operation.parameters || []).map(resolved).filter(p => p.in === "header" && p.required);
  const [kind, content] = Object.entries((operation.requestBody || {}).content || {})[0] || [];
  const sends = content && (kind !== "application/offset+octet-stream" || operation.requestBody.required);
  const tells = operation.responses["201"] && !operation.responses["201"].content;  // all that matters is in its headers
  const words = [socket ? "curl -N --http1.1" : method === "head" ? "curl -sSI" : tells ? "curl -sSi" : "curl -sS"];
  if (!["get", "head"].includes(method) && !(method === "post" && sends)) words.push(`-X ${method.toUpperCase()}`);
  const lines = [`${words.join(" ")} '${location.origin}${filled}${query ? "?" + query : ""}'`];
  if (operation.security) lines.push(`-H "Authorization: Bearer $TOKEN"`);
  if (socket) lines.push("-H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13'",
    "-H 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=='");
  for (const header of required) lines.push(`-H '${header.name}: ${sample(header.schema)}'`);
  if (sends && kind === "multipart/form-data") {
    const form = resolved(content.schema);
    for (const name of form.required)
      lines.push(`-F ${name}=${form.properties[name].format === "binary" ? "@photo.jpg" : sample(form.properties[name])}`);
  } else if (sends && kind !== "application/json") {
    lines.push(`-H 'Content-Type: ${kind}' -T holiday.mp4`);
  } else if (sends) {
    const body = JSON.stringify(content.example !== undefined ? content.example : sample(content.schema));
    lines.push(`-d '${body.replaceAll("'", "'\\''")}'`);
  }
  return lines.join(" \\\n  ");
}
function curlPart(line) {
  const button = element("button", {type: "button"}, "Copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(line);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return element("div", {class: "curl"}, element("pre", {}, line), navigator.clipboard ? button : null);
}
function answerPart(status, given) {
  const response = resolved(given), parts = [];
  const headers = Object.keys(response.headers || {}).filter(name => name !== "X-Request-Id");
  if (headers.length) parts.push(element("p", {class: "soft"}, `Headers: ${headers.join(", ")}`));
  const [type, content] = Object.entries(response.content || {})[0] || [];
  if (type) parts.push(element("p", {class: "soft"}, Object.keys(response.content).join(", ")), ...schemaParts(content.schema, "always"));
  if (type && type.includes("json") && resolved(content.schema).properties) parts.push(element("pre", {}, json(sample(content.schema))));
  const head = [element("code", {}, status), " ", ...inline(response.description)];
  return parts.length ? element("details", status < 300 ? {open: ""} : {}, element("summary", {}, ...head), ...parts) : element("div", {}, ...head);
}
const isProblem = response => (response.$ref || "").startsWith("#/components/responses/Problem");
function answersPart(operation) {
  const all = Object.entries(operation.responses);
  const isCommon = status => ANYWHERE.includes(status) && (status !== "401" || Boolean(operation.security));
  const own = all.filter(([status, response]) => isProblem(response) && !isCommon(status));
  const common = all.filter(([status, response]) => isProblem(response) && isCommon(status)).map(([status]) => status);
  const parts = all.filter(([, response]) => !isProblem(response)).map(([status, response]) => answerPart(status, response));
  parts.push(...own.map(([status, response]) =>
    element("div", {}, element("code", {}, status), " ", ...inline(resolved(response).description))));
  parts.push(element("div", {class: "soft"}, "As anywhere: ", element("a", {href: "#errors"}, common.join(", ")), "."));
  return element("div", {class: "answers"}, ...parts);
}
function errorsPart() {
  const rows = Object.entries(api.components.responses).map(([name, response]) => [name.slice(7), response])
    .map(([status, response]) => element("tr", {}, element("td", {}, element("code", {}, status)),
      element("td", {}, ...inline(response.description)),
      element("td", {}, Object.keys(response.headers || {}).filter(header => header !== "X-Request-Id").join(", "))));
  const [[type, content]] = Object.entries(Object.values(api.components.responses)[0].content);
  return element("section", {id: "errors"}, element("h2", {class: "tag"}, "Errors"),
    element("p", {}, "Every error is one document, ", element("code", {}, type), ". Of what is wrong with the fields of a request, ",
      element("code", {}, "errors"), " tells all at once."),
    ...schemaParts(content.schema, "always"),
    element("p", {}, `Any request may get ${ANYWHERE.join(", ")}; an operation names those that it has besides.`),
    table(["Status", "What", "Headers"], rows));
}
/* how to come by $TOKEN, which the lines of curl below use */
function beginPart() {
  const credentials = `-d '{"username":"maria","password":"correct horse battery"}'`;
  const lines = [`curl -sS '${location.origin}/users' \\`, `  ${credentials}`,
    `TOKEN=$(curl -sS '${location.origin}/auth/login' \\`, `  ${credentials} \\`, `  | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')`,
    `curl -sS '${location.origin}/v1/users/me' \\`, `  -H "Authorization: Bearer $TOKEN"`];
  return element("section", {id: "begin"}, element("h2", {class: "tag"}, "Begin"),
    element("p", {}, "Register with a name of your own in place of ", element("code", {}, "maria"), ", then log in. The token is valid for ",
      "an hour; the lines of curl on this page take it from ", element("code", {}, "$TOKEN"), "."),
    curlPart(lines.join("\n")));
}
function operationPart(method, path, operation, aliases) {
  const parts = [];
  for (const [otherMethod, otherPath] of aliases)
    parts.push(element("p", {class: "soft"}, "Also as ", element("code", {}, `${otherMethod.toUpperCase()} ${otherPath}`), "."));
  parts.push(...prose(operation.description), element("h4", {}, "Try it"), curlPart(curlOf(method, path, operation)));
  if (operation.parameters) {
    const rows = operation.parameters.map(resolved).map(parameter => element("tr", {},
      element("td", {}, element("code", {}, parameter.name)), element("td", {}, parameter.in),
      element("td", {}, typeOf(parameter.schema)), element("td", {}, parameter.required ? "required" : "optional"),
      element("td", {}, ...inline([parameter.description, limitsOf(parameter.schema)].filter(Boolean).join(" ")))));
    parts.push(element("h4", {}, "Parameters"), table(["Name", "In", "Type", "Needed", "What"], rows));
  }
  const [kind, content] = Object.entries((operation.requestBody || {}).content || {})[0] || [];
  if (content) {
    parts.push(element("h4", {}, operation.requestBody.required ? "Body" : "Body, optional"),
      element("p", {class: "soft"}, kind), ...schemaParts(content.schema, "required"));
    if (kind === "application/json") parts.push(element("pre", {}, json(content.example !== undefined ? content.example : sample(content.schema))));
  }
  parts.push(element("h4", {}, "Answers"), answersPart(operation));
  const token = operation.security ? [" · needs ", element("a", {href: "#begin"}, "a token")] : [];
  return element("article", {id: operation.operationId},
    ...aliases.map(([, , alias]) => element("span", {id: alias.operationId})),
    element("header", {}, element("h3", {},
      element("span", {class: `method ${method}`}, method.toUpperCase()), element("span", {class: "path"}, ...breakable(path)),
      element("span", {class: "soft"}, operation.summary, ...token))),
    element("div", {class: "body"}, ...parts));
}
/* every name of a field in a schema, and in those within */
function fieldNames(given, depth = 0) {
  const schema = resolved(given);
  if (depth > 6) return [];
  const inner = [...Object.values(schema.properties || {}), ...(schema.items ? [schema.items] : []), ...(schema.anyOf || [])];
  return [...Object.keys(schema.properties || {}), ...inner.flatMap(one => fieldNames(one, depth + 1))];
}
function wordsOf(method, path, operation, aliases, tag) {
  const schemas = [operation.requestBody, ...Object.values(operation.responses).filter(one => !isProblem(one))]
    .flatMap(one => Object.values((one || {}).content || {})).map(content => content.schema);
  return [method, path, operation.summary, operation.description, tag.name, tag.description, ...aliases.flatMap(alias => alias.slice(0, 2)),
    ...(operation.parameters || []).map(resolved).flatMap(one => [one.name, one.description]),
    ...schemas.flatMap(schema => fieldNames(schema)), ...Object.keys(operation.responses)].join(" ").toLowerCase();
}
function filter(shown, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean), alive = new Set();
  let fitting = 0;
  for (const one of shown) {
    const fits = words.every(word => one.text.includes(word));
    one.part.hidden = one.link.hidden = !fits;
    if (fits) { alive.add(one.section); fitting += 1; }
  }
  for (const one of shown) for (const group of one.group) group.hidden = !alive.has(one.section);
  for (const part of document.querySelectorAll("#intro, #begin, #errors")) part.hidden = words.length > 0;
  document.getElementById("found").textContent = words.length ? `${fitting || "None"} of ${shown.length} fit` : "";
}
function menu() {
  const details = document.getElementById("menu"), wide = matchMedia("(min-width: 56rem)");
  const adapt = () => { details.open = wide.matches; };
  adapt();
  wide.addEventListener("change", adapt);
  details.addEventListener("click", event => { if (event.target.closest("a") && !wide.matches) details.open = false; });
}
function show() {
  const main = document.getElementById("main"), index = document.getElementById("index");
  main.replaceChildren(element("section", {id: "intro"}, element("h1", {}, `${api.info.title} `, element("span", {class: "soft"}, api.info.version)),
    ...prose(api.info.description),
    element("p", {}, "For programs: ", element("a", {href: "openapi.json"}, "openapi.json"), ` (OpenAPI ${api.openapi}).`)), beginPart());
  const about = (name, id) => element("li", {}, element("a", {href: `#${id}`}, name));
  index.append(element("ul", {}, about("Begin: where the token comes from", "begin"), about("Errors", "errors")));
  const everything = Object.entries(api.paths).flatMap(([path, item]) =>
    METHODS.filter(method => item[method]).map(method => [method, path, item[method]]));
  const shown = [];
  for (const tag of api.tags) {
    const links = element("ul"), section = element("section", {}, element("h2", {class: "tag"}, tag.name),
      ...prose(tag.description));
    const head = element("h2", {}, tag.name);
    for (const [method, path, operation] of everything) {
      if (!operation.tags.includes(tag.name) || operation["x-same-as"]) continue;
      const aliases = everything.filter(([, , other]) => other["x-same-as"] === operation.operationId);
      const part = operationPart(method, path, operation, aliases);
      const link = element("li", {}, element("a", {href: `#${operation.operationId}`, title: operation.summary},
        element("span", {class: `method ${method}`}, method.toUpperCase()), element("span", {}, ...breakable(path))));
      links.append(link);
      section.append(part);
      shown.push({text: wordsOf(method, path, operation, aliases, tag), part, link, section, group: [head, section]});
    }
    index.append(head, links);
    main.append(section);
  }
  main.append(errorsPart());
  menu();
  document.getElementById("filter").addEventListener("input", event => filter(shown, event.target.value));
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}
fetch("openapi.json").then(answer => answer.json()).then(document => { api = document; show(); }).catch(error => {
  document.getElementById("main").replaceChildren(element("p", {}, `openapi.json could not be read: ${error}`));
});
