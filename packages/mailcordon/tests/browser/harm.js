// What hostile texts did to the page that is open, as sentences (hostile.py).
() => {
    const at = to => { try { return new URL(to, location); } catch { return {origin: 'none', protocol: 'none'}; } };
    const found = [], all = [...document.querySelectorAll('*')];
    if (window.ran !== undefined) found.push('a text ran as a script');
    for (const one of all) {
        const drawn = one.closest('.uplot') !== null;  // uPlot places what it draws
        const handlers = [...one.attributes]
            .filter(a => /^on/i.test(a.name) || (a.name === 'style' && !drawn) || /^hx-on/i.test(a.name));
        if (handlers.length) found.push(`an element has ${handlers[0].name}: ${one.outerHTML.slice(0, 100)}`);
    }
    for (const one of document.querySelectorAll('script'))
        if (!one.src.startsWith(location.origin + '/static/') || one.textContent) found.push(`a script: ${one.outerHTML.slice(0, 100)}`);
    for (const one of document.querySelectorAll('link, img, iframe, object, embed, base, style, form')) {
        const to = one.getAttribute('href') ?? one.getAttribute('src') ?? one.getAttribute('action') ?? one.getAttribute('data') ?? '';
        if (one.matches('base, style, object, embed') || (to && !to.startsWith('data:image/') && at(to).origin !== location.origin))
            found.push(`an element of another: ${one.outerHTML.slice(0, 100)}`);
    }
    for (const one of document.querySelectorAll('a[href]'))
        if (!['http:', 'https:', 'mailto:'].includes(at(one.href).protocol)) found.push(`a link leads to ${one.href.slice(0, 60)}`);
    const main = document.querySelector('body > main');
    if (!main || document.querySelectorAll('main').length !== 1) found.push('the page has not one main part');
    if (!document.querySelector('body > header')) found.push('the page has lost its header');
    if (document.querySelector('plaintext')) found.push('the rest of the page became text');
    if (/9361317/.test(main?.textContent ?? '')) found.push('a text was taken for a template');
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode;
        if (/[\u202a-\u202e\u2066-\u2069]/.test(text.data) && !text.parentElement.closest('bdi, [dir], title, textarea, option'))
            found.push(`a text turns the direction of what follows: ${text.parentElement.outerHTML.slice(0, 100)}`);
    }
    return [...new Set(found)].slice(0, 5);
}
