// The words of the telephones, in English and Portuguese; `?lang=pt` chooses, else the browser does.

const WORDS = {
  en: {
    phones: "Telephones", chaos: "Chaos", note: "You are all three.", noteAll: "People of the simulator. You are all of them.", back: "Telephones",
    people: "People", search: "Search people", whom: "+55 11 …, or @name", whomLabel: "Number or handle", make: "New phone",
    send: "Send", writeAs: "Write as", on: "on", sees: "sees", answer: "Answer", answerTo: "Answer to", noAnswer: "Do not answer this",
    readAll: "Read all", online: "Online", receipts: "Receipts", readsAlone: "Reads by itself", blocks: "Blocks you", hides: "Hides number",
    writeTo: "Write to them", save: "Save as test", away: "Put away", waiting: "waiting", read: "read", copy: "copy", chat: "chat",
    empty: "Nothing yet. Messages to", emptyEnd: "appear here.", silent: "The simulator does not answer.",
    first: "Nothing yet. Here people write first: write something below as", firstEnd: "then answer in the console.",
    chaosNote: "How the simulated providers misbehave.", preset: "Preset", down: "Down for", downNote: "Everything is down for",
    friendly: "friendly", bad: "bad", worst: "worst",
    unavailable_share: "The provider is down (503)", throttle_share: "Too many requests (429)", timeout_after_share: "No answer, though taken",
    timeout_before_share: "No answer, not taken", refuse_share: "Refused for good", unauthorized_share: "Token refused (401)", slow_share: "Slow answers",
    never_delivered_share: "Never delivered", never_read_share: "Never read", fail_later_share: "Fails after SENT", twice_share: "Receipts twice",
    disorder_share: "READ before DELIVERED", drop_statuses_share: "Receipts lost", drop_messages_share: "People's messages lost",
  },
  pt: {
    phones: "Telefones", chaos: "Caos", note: "Você é os três.", noteAll: "Pessoas do simulador. Você é todas elas.", back: "Telefones",
    people: "Pessoas", search: "Buscar pessoas", whom: "+55 11 …, ou @nome", whomLabel: "Número ou usuário", make: "Novo telefone",
    send: "Enviar", writeAs: "Escrever como", on: "no", sees: "vê", answer: "Responder", answerTo: "Resposta a", noAnswer: "Não responder a esta",
    readAll: "Ler tudo", online: "Online", receipts: "Recibos", readsAlone: "Lê sozinho", blocks: "Bloqueia você", hides: "Oculta número",
    writeTo: "Escrever para ela", save: "Salvar como teste", away: "Guardar", waiting: "esperando", read: "lida", copy: "cópia", chat: "chat",
    empty: "Nada ainda. Mensagens para", emptyEnd: "aparecem aqui.", silent: "O simulador não responde.",
    first: "Nada ainda. Aqui as pessoas escrevem primeiro: escreva algo abaixo como", firstEnd: "e responda no console.",
    chaosNote: "Como os provedores simulados falham.", preset: "Conjunto", down: "Fora do ar por", downNote: "Tudo está fora do ar por",
    friendly: "amigável", bad: "ruim", worst: "o pior",
    unavailable_share: "O provedor está fora do ar (503)", throttle_share: "Pedidos demais (429)", timeout_after_share: "Sem resposta, mas aceita",
    timeout_before_share: "Sem resposta, não aceita", refuse_share: "Recusada de vez", unauthorized_share: "Token recusado (401)", slow_share: "Respostas lentas",
    never_delivered_share: "Nunca entregue", never_read_share: "Nunca lida", fail_later_share: "Falha depois de SENT", twice_share: "Recibos em dobro",
    disorder_share: "READ antes de DELIVERED", drop_statuses_share: "Recibos perdidos", drop_messages_share: "Mensagens das pessoas perdidas",
  },
};

export const language = new URLSearchParams(location.search).get("lang") ?? (navigator.language.startsWith("pt") ? "pt" : "en");

/** Return the text for a word; the word itself if there is none. */
export const say = (word) => (WORDS[language] ?? WORDS.en)[word] ?? word;

/** Fill what the page itself has: `data-say` names an element's text, `data-label` its label and placeholder. */
export function fillPage() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-say]")) element.textContent = say(element.dataset.say);
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", say(element.dataset.label));
    if (element.placeholder !== undefined) element.placeholder = say(element.dataset.hint ?? element.dataset.label);
  }
}
