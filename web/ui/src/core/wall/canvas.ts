import type { WallPalette } from './glyphs';
import type { WallLayout } from './layout';
import type { Surface } from './renderer';

/** The wall's colours as the page's style sheet gives them where el stands. */
export function paletteOf(el: Element): WallPalette {
  const style = getComputedStyle(el);
  const colour = (name: string, other: string) => style.getPropertyValue(name).trim() || other;
  return {
    background: colour('--panel', '#151b21'),
    ok: colour('--ok', '#39424c'),
    info: colour('--info', '#227de8'),
    warning: colour('--warning', '#a78110'),
    critical: colour('--critical', '#ff6b8c'),
    offline: colour('--offline', '#63696f'),
    mark: colour('--wall-mark', '#d4dade'),
    faint: colour('--wall-faint', '#262e36'),
  };
}

/** Sizes the canvas, writes the names once and returns its pixels; null where there is no 2D context. */
export function canvasSurface(
  canvas: HTMLCanvasElement,
  l: WallLayout,
  palette: WallPalette,
  ratio: number,
): Surface | null {
  canvas.width = l.width;
  canvas.height = l.height;
  canvas.style.width = `${l.width / ratio}px`;
  canvas.style.height = `${l.height / ratio}px`;
  const ctx = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
  if (!ctx) return null;
  ctx.fillStyle = palette.background;
  ctx.fillRect(0, 0, l.width, l.height);
  writeNames(ctx, l, getComputedStyle(canvas));
  const image = ctx.getImageData(0, 0, l.width, l.height);
  return {
    width: l.width,
    height: l.height,
    pixels: new Uint32Array(image.data.buffer),
    put: (x, y, w, h) => ctx.putImageData(image, 0, 0, x, y, w, h),
  };
}

function writeNames(ctx: CanvasRenderingContext2D, l: WallLayout, style: CSSStyleDeclaration): void {
  const family = style.fontFamily || 'sans-serif';
  ctx.textBaseline = 'alphabetic';
  for (const c of l.cities) {
    ctx.fillStyle = style.getPropertyValue('--text').trim() || '#d9dfe4';
    ctx.font = `600 ${Math.round(l.cityLabel * 0.72)}px ${family}`;
    ctx.fillText(fit(ctx, c.city, c.w), c.x, c.y + l.cityLabel * 0.72);
    if (l.storeLabel === 0) continue;
    ctx.fillStyle = style.getPropertyValue('--dim').trim() || '#93a0ac';
    ctx.font = `${Math.round(l.storeLabel * 0.76)}px ${family}`;
    for (const b of c.blocks) {
      const name = [b.store.id, b.store.name].filter(Boolean).join(' ');
      ctx.fillText(fit(ctx, name, Math.max(b.cols, 10) * l.pitch), b.x, b.y - l.storeLabel * 0.36);
    }
  }
}

/** The text, or as much of it as fits. */
function fit(ctx: CanvasRenderingContext2D, text: string, width: number): string {
  if (ctx.measureText(text).width <= width) return text;
  let n = text.length;
  while (n > 1 && ctx.measureText(`${text.slice(0, n)}…`).width > width) n--;
  return n > 1 ? `${text.slice(0, n)}…` : '';
}

export interface Frame {
  id: string;
  state: string;
  x: number;
  y: number;
  w: number;
  h: number;
}

/** Frames around the stores that are not well, in CSS pixels. */
export function storeFrames(l: WallLayout, health: ReadonlyMap<string, string>, ratio: number): Frame[] {
  return l.blocks.flatMap((b) => {
    const state = health.get(b.store.id);
    if (state !== 'critical' && state !== 'warning' && state !== 'offline') return [];
    const pad = 3;
    return [
      {
        id: b.store.id,
        state,
        x: b.x / ratio - pad,
        y: b.y / ratio - pad,
        w: (b.cols * l.pitch) / ratio + 2 * pad - 1,
        h: (b.rows * l.pitch) / ratio + 2 * pad - 1,
      },
    ];
  });
}
