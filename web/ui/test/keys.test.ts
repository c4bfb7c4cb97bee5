import { beforeEach, describe, expect, it } from 'vitest';
import { Keys, singleKeys } from '../src/core/keys';

let now = 0;
let keys: Keys;
beforeEach(() => {
  now = 1000;
  keys = new Keys(() => now);
});

describe('keys', () => {
  it('are commands', () => {
    expect(keys.read({ key: '?' })).toBe('help');
    expect(keys.read({ key: 'a' })).toBe('acknowledge');
    expect(keys.read({ key: 'q' })).toBeNull();
    expect(keys.read({ key: 'constructor' })).toBeNull();
  });

  it('after g are screens, for a moment', () => {
    expect(keys.read({ key: 'g' })).toBeNull();
    expect(keys.read({ key: 'c' })).toBe('go:changes');
    keys.read({ key: 'g' });
    now += 2000;
    expect(keys.read({ key: 's' })).toBe('severity');
  });

  it('are off while an input method composes', () => {
    expect(keys.read({ key: 'a', isComposing: true })).toBeNull();
    expect(keys.read({ key: 'a', keyCode: 229 })).toBeNull();
    expect(keys.read({ key: 'k', ctrlKey: true, isComposing: true })).toBeNull();
  });

  it('are off in fields, but for the palette and Escape', () => {
    const target = document.createElement('input');
    expect(keys.read({ key: 'a', target })).toBeNull();
    expect(keys.read({ key: 'k', metaKey: true, target })).toBe('palette');
    expect(keys.read({ key: 'Escape', target })).toBe('close');
  });

  it('can be turned off', () => {
    keys.enabled = false;
    expect(keys.read({ key: 'a' })).toBeNull();
    expect(keys.read({ key: 'K', ctrlKey: true })).toBe('palette');
  });

  it('leave the browser its own', () => {
    expect(keys.read({ key: 'a', ctrlKey: true })).toBeNull();
    expect(keys.read({ key: 'l', altKey: true })).toBeNull();
  });

  it('repeat only where one moves', () => {
    expect(keys.read({ key: 'a', repeat: true })).toBeNull();
    expect(keys.read({ key: 'j', repeat: true })).toBe('next');
  });

  it('never run a plan', () => {
    expect(Object.values(singleKeys).filter((c) => /run|plan|confirm/.test(c))).toEqual([]);
  });
});
