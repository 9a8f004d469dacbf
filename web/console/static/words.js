// The words of the page, in English and Portuguese.

const WORDS = {
  en: {
    signIn: "Sign in", register: "Create an account", username: "Username", password: "Password",
    welcome: "Write once, reach people on WhatsApp, Instagram, Telegram, or here.",
    haveNone: "No account yet? Create one", haveOne: "Already registered? Sign in", signOut: "Sign out",
    search: "Search conversations", newConversation: "New message", conversations: "Conversations",
    none: "No conversation yet. Write the first message.", choose: "Choose a conversation, or write a new message.",
    to: "To", toHint: "whatsapp:+55…, instagram:@name, telegram:12345 or user:name", write: "Write a message",
    send: "Send", attach: "Attach a file", remove: "Remove", dropHere: "Drop the file to attach it",
    older: "Earlier messages", members: "Members", link: "Copy link", life: "Life of the message", reply: "Reply",
    react: "React", close: "Close", offline: "Not connected. Trying again …", docs: "API", operator: "Operator",
    language: "Português", replyingTo: "Replying to", uploading: "Uploading", retry: "Try again",
    ACCEPTED: "Accepted", SENT: "Sent", DELIVERED: "Delivered", READ: "Read", FAILED: "Failed",
    left: "left", tooLong: "too long by", you: "You", today: "Today", unsupported: "A kind of message that cannot be shown here",
    windowOpen: "Anything may be sent until", windowClosed: "The reply window is closed: only templates reach this person",
    accounts: "Accounts", deadLetters: "Dead letters", account: "Account", state: "State", waiting: "Waiting",
    inFlight: "In flight", allowance: "Allowed per second", pause: "Pause", resume: "Resume", redrive: "Send again",
    discard: "Discard", reason: "Reason", noLetters: "No dead letters.", notAdmin: "This view needs the role admin.",
    paused: "paused", noLimit: "no limit", attempt: "Attempt", noEvents: "Nothing more is known of this message.",
    sessionOver: "Your session is over. Sign in again.", unreachable: "The server does not answer.", refresh: "Refresh",
    location: "Location", contacts: "Contacts", sticker: "Sticker", template: "Template", resolved: "resolved",
    QUEUED: "Queued", WAITING: "Waiting", ATTEMPT: "Call to the provider", RECEIPT: "Receipt",
    live: "New messages appear here", total: "in all", asOf: "What had happened by",
  },
  pt: {
    signIn: "Entrar", register: "Criar conta", username: "Usuário", password: "Senha",
    welcome: "Escreva uma vez e alcance pessoas no WhatsApp, Instagram, Telegram ou aqui.",
    haveNone: "Ainda sem conta? Crie uma", haveOne: "Já tem conta? Entre", signOut: "Sair",
    search: "Buscar conversas", newConversation: "Nova mensagem", conversations: "Conversas",
    none: "Nenhuma conversa ainda. Escreva a primeira mensagem.", choose: "Escolha uma conversa ou escreva uma nova mensagem.",
    to: "Para", toHint: "whatsapp:+55…, instagram:@nome, telegram:12345 ou user:nome", write: "Escreva uma mensagem",
    send: "Enviar", attach: "Anexar arquivo", remove: "Remover", dropHere: "Solte o arquivo para anexar",
    older: "Mensagens anteriores", members: "Participantes", link: "Copiar link", life: "Vida da mensagem", reply: "Responder",
    react: "Reagir", close: "Fechar", offline: "Sem conexão. Tentando de novo …", docs: "API", operator: "Operação",
    language: "English", replyingTo: "Respondendo a", uploading: "Enviando", retry: "Tentar de novo",
    ACCEPTED: "Aceita", SENT: "Enviada", DELIVERED: "Entregue", READ: "Lida", FAILED: "Falhou",
    left: "restantes", tooLong: "excede em", you: "Você", today: "Hoje", unsupported: "Um tipo de mensagem que não pode ser mostrado aqui",
    windowOpen: "Tudo pode ser enviado até", windowClosed: "A janela de resposta fechou: só modelos chegam a esta pessoa",
    accounts: "Contas", deadLetters: "Mensagens mortas", account: "Conta", state: "Estado", waiting: "Esperando",
    inFlight: "Em voo", allowance: "Permitidas por segundo", pause: "Pausar", resume: "Retomar", redrive: "Enviar de novo",
    discard: "Descartar", reason: "Motivo", noLetters: "Nenhuma mensagem morta.", notAdmin: "Esta vista precisa do papel admin.",
    paused: "pausada", noLimit: "sem limite", attempt: "Tentativa", noEvents: "Nada mais se sabe desta mensagem.",
    sessionOver: "Sua sessão terminou. Entre de novo.", unreachable: "O servidor não responde.", refresh: "Atualizar",
    location: "Localização", contacts: "Contatos", sticker: "Figurinha", template: "Modelo", resolved: "resolvida",
    QUEUED: "Na fila", WAITING: "Esperando", ATTEMPT: "Chamada ao provedor", RECEIPT: "Recibo",
    live: "Novas mensagens aparecem aqui", total: "no total", asOf: "O que tinha acontecido até",
  },
};
const KEY = "chat4all.language";

export let language = localStorage.getItem(KEY) || (navigator.language.startsWith("pt") ? "pt" : "en");

/** Return the text for a word; the word itself if there is none. */
export const say = (word) => WORDS[language][word] ?? word;

/** Change to the other language, and remember it. */
export function switchLanguage() {
  language = language === "en" ? "pt" : "en";
  localStorage.setItem(KEY, language);
  document.documentElement.lang = language;
}

/** Return the clock time of epoch milliseconds, with the day if it is not today. */
export function timeOf(ms, withSeconds = false) {
  const at = new Date(ms), isToday = at.toDateString() === new Date().toDateString();
  const options = { hour: "2-digit", minute: "2-digit", ...(withSeconds ? { second: "2-digit", fractionalSecondDigits: 3 } : {}) };
  return at.toLocaleString(language, isToday ? options : { ...options, day: "numeric", month: "short" });
}

/** Return the day of epoch milliseconds. */
export function dayOf(ms) {
  const at = new Date(ms);
  if (at.toDateString() === new Date().toDateString()) return say("today");
  return at.toLocaleDateString(language, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
}

document.documentElement.lang = language;
