// Runs the script of web/description/docs.js over a description, on a document that is just enough, and prints what it shows:
// node page.js docs.js openapi.json '["words for the filter", …]' wide|narrow
"use strict";
const fs = require("fs"), [script, description, queries, width] = process.argv.slice(2);
const byId = {};
class Node {
  constructor(name) { Object.assign(this, {name, attributes: {}, children: [], listeners: {}, hidden: false}); }
  setAttribute(key, value) { this.attributes[key] = value; if (key === "id") byId[value] = this; }
  append(...children) { this.children.push(...children); }
  replaceChildren(...children) { this.children = children; }
  addEventListener(kind, listener) { this.listeners[kind] = listener; }
  set textContent(text) { this.children = [text]; }
  get textContent() { return this.children.map(child => typeof child === "string" ? child : child.textContent).join(""); }
  all(name) {
    const inner = this.children.filter(child => child instanceof Node).flatMap(child => child.all(name));
    return this.name === name ? [this, ...inner] : inner;
  }
}
for (const id of ["main", "index", "filter", "found", "menu"]) new Node(id).setAttribute("id", id);
globalThis.document = {
  createElement: name => new Node(name),
  getElementById: id => byId[id] || null,
  querySelectorAll: selectors => selectors.split(",").map(one => byId[one.trim().slice(1)]).filter(Boolean),
};
globalThis.location = {origin: "http://chat.example", hash: ""};
globalThis.matchMedia = () => ({matches: width === "wide", addEventListener() {}});
Object.defineProperty(globalThis, "navigator", {value: {}, configurable: true});
globalThis.fetch = async () => ({json: async () => JSON.parse(fs.readFileSync(description, "utf8"))});
(0, eval)(fs.readFileSync(script, "utf8"));
setTimeout(() => {
  const articles = byId.main.all("article"), visible = {};
  const shown = articles.map(article => [article.attributes.id, {
    text: article.textContent,
    tables: article.all("table").map(table => table.all("tr").map(row => row.children.map(cell => cell.textContent))),
  }]);
  const isMenuOpen = byId.menu.open;
  for (const query of JSON.parse(queries)) {
    byId.filter.listeners.input({target: {value: query}});
    visible[query] = articles.filter(article => !article.hidden).map(article => article.attributes.id);
  }
  const {begin, errors, index} = byId;
  console.log(JSON.stringify({
    articles: Object.fromEntries(shown), visible, isMenuOpen, main: byId.main.textContent,
    begin: begin && begin.all("pre")[0].textContent, errors: errors && errors.textContent, index: index.textContent,
  }));
}, 50);
