// As much Markdown as the server's own reports use: headings, lists, tables, paragraphs; within a line bold, italic, code and
// links. It becomes a tree that a component paints, so that no text of anybody's is ever read as HTML.

export type Span =
  { kind: 'text' | 'bold' | 'italic' | 'code'; text: string } | { kind: 'link'; text: string; href: string };
/** An entry of a list: its depth from 0, and what stands before it: a dot, a number, a box. */
export interface Item {
  depth: number;
  mark: string;
  spans: Span[];
}
export type Block =
  | { kind: 'heading'; level: number; spans: Span[] }
  | { kind: 'paragraph'; spans: Span[] }
  | { kind: 'list'; items: Item[] }
  | { kind: 'table'; heads: Span[][]; rows: Span[][][] }
  | { kind: 'code'; text: string };

const item = /^(\s*)(?:[-*+]|(\d+)[.)])\s+(?:\[([ xX])\]\s+)?(.*)$/;
const special = /^(#{1,6}\s|\s*([-*+]|\d+[.)])\s|\||```)/;

/** Reads Markdown into blocks. What it does not know is a paragraph. */
export function parseMarkdown(text: string): Block[] {
  const lines = text.replaceAll('\r\n', '\n').split('\n');
  const out: Block[] = [];
  for (let i = 0; i < lines.length;) {
    const line = lines[i]!;
    if (line.trim() === '') i++;
    else if (line.startsWith('```')) i = code(lines, i, out);
    else if (/^#{1,6}\s/.test(line)) {
      const level = /^#+/.exec(line)![0].length;
      out.push({ kind: 'heading', level, spans: spans(line.slice(level).trim()) });
      i++;
    } else if (line.startsWith('|') && /^\|[\s:|-]+$/.test(lines[i + 1] ?? '')) i = table(lines, i, out);
    else if (item.test(line)) i = list(lines, i, out);
    else i = paragraph(lines, i, out);
  }
  return out;
}

function code(lines: string[], from: number, out: Block[]): number {
  let end = from + 1;
  while (end < lines.length && !lines[end]!.startsWith('```')) end++;
  out.push({ kind: 'code', text: lines.slice(from + 1, end).join('\n') });
  return end + 1;
}

function table(lines: string[], from: number, out: Block[]): number {
  let end = from + 2;
  while (lines[end]?.startsWith('|')) end++;
  const rows = lines.slice(from + 2, end).map(cells);
  out.push({ kind: 'table', heads: cells(lines[from]!), rows });
  return end;
}

/** The cells of a table's row; an escaped bar is none of its borders. */
function cells(row: string): Span[][] {
  return row
    .trim()
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((c) => spans(c.trim()));
}

function list(lines: string[], from: number, out: Block[]): number {
  const items: Item[] = [];
  let end = from;
  for (; end < lines.length; end++) {
    const m = item.exec(lines[end]!);
    if (!m) break;
    const mark = m[3] !== undefined ? (m[3] === ' ' ? '☐' : '☑') : m[2] !== undefined ? `${m[2]}.` : '•';
    items.push({ depth: Math.min(3, Math.floor(m[1]!.length / 2)), mark, spans: spans(m[4]!) });
  }
  out.push({ kind: 'list', items });
  return end;
}

function paragraph(lines: string[], from: number, out: Block[]): number {
  let end = from + 1;
  while (end < lines.length && lines[end]!.trim() !== '' && !special.test(lines[end]!)) end++;
  out.push({ kind: 'paragraph', spans: spans(lines.slice(from, end).join(' ')) });
  return end;
}

const within = /`([^`]+)`|\*\*(.+?)\*\*|(?<![\w*\\])[*_]([^*_]+)[*_](?!\w)|\[([^\]]*)\]\(([^)\s]+)\)/g;

/** Reads what stands within a line. A link goes nowhere but to the web or to a page of ours. */
export function spans(text: string): Span[] {
  const out: Span[] = [];
  const plain = (s: string) => s && out.push({ kind: 'text', text: unescaped(s) });
  let at = 0;
  for (const m of text.matchAll(within)) {
    if (text[m.index - 1] === '\\') continue;
    plain(text.slice(at, m.index));
    at = m.index + m[0].length;
    if (m[1] !== undefined) out.push({ kind: 'code', text: m[1] });
    else if (m[2] !== undefined) out.push({ kind: 'bold', text: unescaped(m[2]) });
    else if (m[3] !== undefined) out.push({ kind: 'italic', text: unescaped(m[3]) });
    else if (/^(https?:\/\/|\/(?!\/))/.test(m[5]!)) out.push({ kind: 'link', text: unescaped(m[4]!), href: m[5]! });
    else plain(m[4]!);
  }
  plain(text.slice(at));
  return out;
}

/** The text without what kept it from being read as Markdown. */
function unescaped(s: string): string {
  return s
    .replace(/\\([\\|`*_[\]#<>()!.+-])/g, '$1')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}
