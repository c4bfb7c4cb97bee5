// A headless Chromium for the checks in this folder.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const sizes = {
  desktop: { width: 1440, height: 900 },
  wall: { width: 1920, height: 1080 },
  phone: { width: 390, height: 844 },
};

export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: flags });
}

/** A page of a size in a language; what it complains of is put into problems, but for what is expected. */
export async function open(browser, size, lang, problems, expected = /Failed to load resource/) {
  const context = await browser.newContext({
    viewport: sizes[size],
    deviceScaleFactor: size === 'phone' ? 2 : 1,
    locale: lang === 'zh' ? 'zh-CN' : 'en-GB',
    timezoneId: 'Asia/Shanghai',
    reducedMotion: 'no-preference',
  });
  const page = await context.newPage();
  page.on('pageerror', (e) => problems.push(`${size} ${lang}: ${e.message}`));
  page.on('console', (m) => {
    // A 404 of one request is the page's to handle; a broken policy or script is not.
    if (m.type() === 'error' && !/Failed to load resource/.test(m.text()) && !expected.test(m.text()))
      problems.push(`${size} ${lang}: ${m.text()}`);
  });
  return page;
}

/** Lets axe look for what keeps people out; what is serious or critical is checked and named. */
export async function auditWith(page, name, check, problems) {
  // Run through the debugger, so that the page's Content-Security-Policy stays as strict as it is.
  await page.evaluate(readFileSync(axePath, 'utf8'));
  const result = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const bad = result.violations.filter((v) => v.impact === 'serious' || v.impact === 'critical');
  check(bad.length === 0, `${name}: axe finds nothing serious`);
  for (const v of bad) {
    const where = v.nodes.map((n) => n.target.join(' ')).slice(0, 4);
    problems.push(`  ${v.id} (${v.impact}): ${where.join(' | ')}`);
  }
}
