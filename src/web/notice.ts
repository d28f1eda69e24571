import type { Response } from 'express';

export interface Notice {
  title: string;
  lines: string[];
  /** one button that posts these fields */
  form?: { action: string; fields: Record<string, string>; button: string };
}

/** Text that may stand in HTML and in quoted attributes. */
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** A page of ours without scripts. @param page `head` and `body` are HTML, the title is text */
export const htmlPage = (page: {
  title: string;
  style: string;
  head?: string;
  body: string;
}) => `<!doctype html>
<html lang="vi">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
${page.head ?? ''}<title>${escapeHtml(page.title)}</title>
<link rel="icon" href="/assets/eye.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/base.css">
<link rel="stylesheet" href="/assets/${page.style}">
</head>
<body>
${page.body}
</body>
</html>
`;

/** A small page of ours without scripts: a title, a few lines, at most one button. */
export function printNotice(response: Response, status: number, notice: Notice): void {
  const form =
    notice.form === undefined
      ? ''
      : `<form method="post" action="${escapeHtml(notice.form.action)}">${Object.entries(notice.form.fields)
          .map(
            ([name, value]) =>
              `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`,
          )
          .join('')}<button class="primary">${escapeHtml(notice.form.button)}</button></form>`;
  const body = `<main class="notice">
<img src="/assets/eye.svg" alt="" width="56" height="56">
<h1>${escapeHtml(notice.title)}</h1>
${notice.lines.map((line) => `<p>${escapeHtml(line)}</p>`).join('\n')}
${form}
</main>`;
  response
    .status(status)
    .setHeader('Cache-Control', 'no-store')
    .type('html')
    .send(htmlPage({ title: `${notice.title} · Mắt Thần`, style: 'notice.css', body }));
}
