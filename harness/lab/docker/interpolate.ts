/** `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?why}`, `$NAME` and `$$`, as Compose has them. */
const VARIABLE = /\$(?:(\$)|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-?])((?:[^{}]|\{[^{}]*\})*))?\})/g;

export interface Interpolated {
  text: string;
  /** Variables that it asks for. */
  names: string[];
  /** What keeps it from being used: a variable that must be there and is not. */
  refused: string | null;
}

export function interpolate(text: string, variables: Readonly<Record<string, string | undefined>>): Interpolated {
  const names: string[] = [];
  let refused: string | null = null;
  const out = text.replace(VARIABLE, (_, dollar, plain, braced, how: string | undefined, rest = '') => {
    if (dollar !== undefined) return '$';
    const name: string = plain ?? braced;
    names.push(name);
    const value = variables[name];
    const lacking = value === undefined || (how?.startsWith(':') && value === '');
    if (!lacking) return value;
    if (how?.endsWith('-')) return rest;
    refused = how === undefined ? `needs the variable ${name}, and has no default` : `${name}: ${rest}`;
    return '';
  });
  return { text: out, names, refused };
}
