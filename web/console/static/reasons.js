// Why a message failed, in the words of a person. The channel's own sentence stands beside them.

import { language } from "./words.js";

const REASONS = {
  en: {
    "undeliverable": "This address cannot be reached on the channel.",
    "person-unavailable": "This person cannot be reached: they blocked you, or left the channel.",
    "recipient-unknown": "Nobody has this address on the channel.",
    "recipient-not-allowed": "The account may not write to this address.",
    "recipient-is-sender": "This is the account's own address.",
    "invalid-recipient": "This is no possible address.",
    "outside-window": "The reply window is closed: only a template reaches this person.",
    "opted-out": "This person wants no more of these messages.",
    "held-back": "The channel kept this message from the person.",
    "outcome-unknown": "The channel did not say whether it took the message. The person may have it.",
    "expired": "The message was not sent in its time.",
    "unavailable": "The channel was away for too long.",
    "invalid-message": "The channel takes no such message.",
    "kind-unsupported": "The channel takes no message of this kind.",
    "file-too-large": "The file is too large for the channel.",
    "unauthorized": "The channel does not accept the account's credentials.",
  },
  pt: {
    "undeliverable": "Este endereço não pode ser alcançado no canal.",
    "person-unavailable": "Esta pessoa não pode ser alcançada: bloqueou você ou deixou o canal.",
    "recipient-unknown": "Ninguém tem este endereço no canal.",
    "recipient-not-allowed": "A conta não pode escrever para este endereço.",
    "recipient-is-sender": "Este é o endereço da própria conta.",
    "invalid-recipient": "Este não é um endereço possível.",
    "outside-window": "A janela de resposta fechou: só um modelo chega a esta pessoa.",
    "opted-out": "Esta pessoa não quer mais estas mensagens.",
    "held-back": "O canal não entregou esta mensagem à pessoa.",
    "outcome-unknown": "O canal não disse se aceitou a mensagem. A pessoa pode tê-la recebido.",
    "expired": "A mensagem não foi enviada a tempo.",
    "unavailable": "O canal ficou fora do ar por muito tempo.",
    "invalid-message": "O canal não aceita uma mensagem assim.",
    "kind-unsupported": "O canal não aceita mensagens deste tipo.",
    "file-too-large": "O arquivo é grande demais para o canal.",
    "unauthorized": "O canal não aceita as credenciais da conta.",
  },
};

// Why the API refused a call. In English its own sentence says it; here it stands behind this one, for what it names.
const REFUSALS_PT = {
  "invalid-input": "Algo neste formulário não serve",
  "invalid-content": "Este conteúdo não serve",
  "malformed-json": "O pedido não pôde ser lido",
  "not-authenticated": "Usuário ou senha incorretos",
  "not-allowed": "Você não pode fazer isto",
  "not-found": "Não existe, ou você não pode ver",
  "conflict": "Isto contradiz o que já existe",
  "already-exists": "Já existe",
  "rate-limited": "Pedidos demais: espere um pouco",
  "body-too-large": "É grande demais",
  "body-timeout": "O envio parou por tempo demais",
  "unavailable": "O serviço não responde agora: tente de novo",
  "log-unavailable": "O serviço não aceita mensagens agora: tente de novo",
  "store-unavailable": "O serviço não encontra os seus dados agora: tente de novo",
  "file-store-unavailable": "O serviço não alcança os arquivos agora: tente de novo",
  "internal": "Algo falhou no serviço, e ficou registrado",
  "locked": "Outra página está enviando este arquivo",
  "gone": "Não existe mais",
  "checksum-mismatch": "O arquivo chegou alterado: envie de novo",
};

/** Return the sentence about a refused call from its problem document. */
export function refusalOf(problem, otherwise = "") {
  const code = String(problem?.type ?? "").split(":").at(-1), detail = problem?.detail ?? otherwise;
  if (language !== "pt") return detail;
  const words = REFUSALS_PT[code] ?? REASONS.pt[code];
  return words ? `${words.replace(/\.$/, "")} (${detail}).` : detail;
}

/** Return {words, detail} of a failure; `detail` is the channel's own sentence, empty if nothing is to be added. */
export function reasonOf(failure) {
  const words = REASONS[language][failure?.code] ?? "", detail = failure?.detail ?? "";
  return words ? { words, detail } : { words: detail || failure?.code || "", detail: "" };
}
