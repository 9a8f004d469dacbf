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
    older: "Loading earlier messages …", members: "Members", link: "Copy link", life: "Life of the message", reply: "Reply",
    react: "React", close: "Close", offline: "Not connected. Trying again …", docs: "API", operator: "Operator",
    language: "Português", replyingTo: "Replying to", uploading: "Uploading", retry: "Try again",
    ACCEPTED: "Accepted", SENT: "Sent", DELIVERED: "Delivered", READ: "Read", FAILED: "Failed",
    left: "left", tooLong: "too long by", you: "You", today: "Today", unsupported: "A kind of message that cannot be shown here",
    windowOpen: "Reply window: anything may be sent for", windowClosed: "The reply window is closed: only templates reach this person",
    accounts: "Accounts", deadLetters: "Dead letters", account: "Account", state: "State", waiting: "Waiting",
    inFlight: "In flight", allowance: "Allowed per second", pause: "Pause", resume: "Resume", redrive: "Send again",
    discard: "Discard", reason: "Reason", noLetters: "No dead letters.", notAdmin: "This view needs the role admin.",
    paused: "paused", noLimit: "no limit", attempt: "Attempt", noEvents: "Nothing more is known of this message.",
    sessionOver: "Your session is over. Sign in again.", unreachable: "The server does not answer.", refresh: "Refresh",
    location: "Location", contacts: "Contacts", sticker: "Sticker", template: "Template", resolved: "resolved",
    QUEUED: "Queued", WAITING: "Waiting", ATTEMPT: "Call to the provider", RECEIPT: "Receipt",
    live: "New messages appear here", total: "in all", asOf: "What had happened by",
    notFound: "No conversation of this name.",
    unread: "unread",
    reaction: "as a reaction",
    messages: "Messages",
    toEnd: "To the newest message",
    noConversation: "There is no such conversation, or you do not take part in it.",
    linkCopied: "The link to this message is copied.",
    linkInBar: "The address bar shows the link to this message.",
    noMessage: "The linked message is not in this conversation.",
    windowUnknown: "This person has not written yet. The first message may need a template.",
    adminHere: "admin of this group",
    userHere: "user of this system",
    addMember: "Add a member",
    add: "Add",
    uploadWaits: "interrupted; it goes on by itself …",
    uploaded: "uploaded",
    uploadFailed: "The upload failed.",
    sentWhenUploaded: "The message goes out when the file is uploaded …",
    oneFile: "A message carries one file: the first one was taken.",
    unreachableKept: "The server does not answer. What you wrote is kept: press Send again.",
    skip: "Skip to the conversation",
    pages: "Pages",
    phones: "Telephones",
    passwordHint: "At least 8 characters, not one of the commonest.",
    where: "Where",
    to_whatsapp: "WhatsApp",
    to_instagram: "Instagram",
    to_telegram: "Telegram",
    to_user: "Someone here",
    example_whatsapp: "+55 11 99999-0000",
    example_instagram: "@name",
    example_telegram: "@name or 123456789",
    example_user: "username",
    hint_whatsapp: "A telephone number with its country code.",
    hint_instagram: "A handle. Instagram lets you answer people who wrote to you first.",
    hint_telegram: "A handle or chat number of somebody who started the bot.",
    hint_user: "The username of somebody who uses this system.",
  },
  pt: {
    signIn: "Entrar", register: "Criar conta", username: "Usuário", password: "Senha",
    welcome: "Escreva uma vez e alcance pessoas no WhatsApp, Instagram, Telegram ou aqui.",
    haveNone: "Ainda sem conta? Crie uma", haveOne: "Já tem conta? Entre", signOut: "Sair",
    search: "Buscar conversas", newConversation: "Nova mensagem", conversations: "Conversas",
    none: "Nenhuma conversa ainda. Escreva a primeira mensagem.", choose: "Escolha uma conversa ou escreva uma nova mensagem.",
    to: "Para", toHint: "whatsapp:+55…, instagram:@nome, telegram:12345 ou user:nome", write: "Escreva uma mensagem",
    send: "Enviar", attach: "Anexar arquivo", remove: "Remover", dropHere: "Solte o arquivo para anexar",
    older: "Carregando mensagens anteriores …", members: "Participantes", link: "Copiar link", life: "Vida da mensagem", reply: "Responder",
    react: "Reagir", close: "Fechar", offline: "Sem conexão. Tentando de novo …", docs: "API", operator: "Operação",
    language: "English", replyingTo: "Respondendo a", uploading: "Enviando", retry: "Tentar de novo",
    ACCEPTED: "Aceita", SENT: "Enviada", DELIVERED: "Entregue", READ: "Lida", FAILED: "Falhou",
    left: "restantes", tooLong: "excede em", you: "Você", today: "Hoje", unsupported: "Um tipo de mensagem que não pode ser mostrado aqui",
    windowOpen: "Janela de resposta: tudo pode ser enviado por", windowClosed: "A janela de resposta fechou: só modelos chegam a esta pessoa",
    accounts: "Contas", deadLetters: "Mensagens mortas", account: "Conta", state: "Estado", waiting: "Esperando",
    inFlight: "Em voo", allowance: "Permitidas por segundo", pause: "Pausar", resume: "Retomar", redrive: "Enviar de novo",
    discard: "Descartar", reason: "Motivo", noLetters: "Nenhuma mensagem morta.", notAdmin: "Esta vista precisa do papel admin.",
    paused: "pausada", noLimit: "sem limite", attempt: "Tentativa", noEvents: "Nada mais se sabe desta mensagem.",
    sessionOver: "Sua sessão terminou. Entre de novo.", unreachable: "O servidor não responde.", refresh: "Atualizar",
    location: "Localização", contacts: "Contatos", sticker: "Figurinha", template: "Modelo", resolved: "resolvida",
    QUEUED: "Na fila", WAITING: "Esperando", ATTEMPT: "Chamada ao provedor", RECEIPT: "Recibo",
    live: "Novas mensagens aparecem aqui", total: "no total", asOf: "O que tinha acontecido até",
    notFound: "Nenhuma conversa com este nome.",
    unread: "não lidas",
    reaction: "como reação",
    messages: "Mensagens",
    toEnd: "Para a mensagem mais nova",
    noConversation: "Esta conversa não existe, ou você não participa dela.",
    linkCopied: "O link desta mensagem foi copiado.",
    linkInBar: "A barra de endereço mostra o link desta mensagem.",
    noMessage: "A mensagem do link não está nesta conversa.",
    windowUnknown: "Esta pessoa ainda não escreveu. A primeira mensagem pode precisar de um modelo.",
    adminHere: "admin deste grupo",
    userHere: "usuário deste sistema",
    addMember: "Adicionar participante",
    add: "Adicionar",
    uploadWaits: "interrompido; continua sozinho …",
    uploaded: "enviado",
    uploadFailed: "O envio do arquivo falhou.",
    sentWhenUploaded: "A mensagem sai quando o arquivo estiver enviado …",
    oneFile: "Uma mensagem leva um arquivo: o primeiro foi escolhido.",
    unreachableKept: "O servidor não responde. O que você escreveu foi guardado: pressione Enviar de novo.",
    skip: "Ir para a conversa",
    pages: "Páginas",
    phones: "Telefones",
    passwordHint: "Pelo menos 8 caracteres, não uma das mais comuns.",
    where: "Onde",
    to_whatsapp: "WhatsApp",
    to_instagram: "Instagram",
    to_telegram: "Telegram",
    to_user: "Alguém aqui",
    example_whatsapp: "+55 11 99999-0000",
    example_instagram: "@nome",
    example_telegram: "@nome ou 123456789",
    example_user: "usuário",
    hint_whatsapp: "Um número de telefone com o código do país.",
    hint_instagram: "Um usuário. O Instagram só permite responder a quem escreveu antes.",
    hint_telegram: "Um usuário ou número de chat de quem iniciou o bot.",
    hint_user: "O nome de alguém que usa este sistema.",
  },
};
export const LANGUAGE_KEY = "chat4all.language";

export let language = localStorage.getItem(LANGUAGE_KEY) || (navigator.language.startsWith("pt") ? "pt" : "en");

/** Return the text for a word; the word itself if there is none. */
export const say = (word) => WORDS[language][word] ?? word;

/** Change to the other language, and remember it. */
export function switchLanguage() {
  language = language === "en" ? "pt" : "en";
  localStorage.setItem(LANGUAGE_KEY, language);
  document.documentElement.lang = language;
}

/** Return the clock time of epoch milliseconds, with the day if it is not today. */
export function timeOf(ms, withSeconds = false) {
  const at = new Date(ms), isToday = at.toDateString() === new Date().toDateString();
  const options = { hour: "2-digit", minute: "2-digit", ...(withSeconds ? { second: "2-digit", fractionalSecondDigits: 3 } : {}) };
  return at.toLocaleString(language, isToday ? options : { ...options, day: "numeric", month: "short" });
}

/** Return the beginning of the day of epoch milliseconds, in this time zone. */
export const midnightOf = (ms) => new Date(ms).setHours(0, 0, 0, 0);

/** Return the day of epoch milliseconds. */
export function dayOf(ms) {
  const at = new Date(ms);
  if (midnightOf(ms) === midnightOf(Date.now())) return say("today");
  return at.toLocaleDateString(language, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
}

document.documentElement.lang = language;
