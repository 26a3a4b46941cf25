/** What a run lets another know, by way of its inbox: signals without a name, which nobody can send. Their key says what. */
export const NOTICE_NAME = '';

/** What a parent asks of a child. */
export type ChildOrder = 'cancel' | 'terminate';

/** Which child has ended: that of this step, or item, begun in this generation of its parent. */
export function noticeOfChild(generation: number, step: string): string {
  return `${generation}/${step}`;
}

/** What a notice says. A generation is a number, so that no step is taken for an order. */
export type Notice =
  | { readonly kind: 'order'; readonly order: ChildOrder }
  | { readonly kind: 'child ended'; readonly generation: number; readonly step: string };

export function readNotice(text: string): Notice {
  if (text === 'cancel' || text === 'terminate') return { kind: 'order', order: text };
  const slash = text.indexOf('/');
  return { kind: 'child ended', generation: Number(text.slice(0, slash)), step: text.slice(slash + 1) };
}
