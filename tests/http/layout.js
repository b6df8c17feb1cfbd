// layout.js - the faults in the layout of a page: the body of a function that returns a list of
// messages.  The contrast is that of WCAG 2: at least 4.5 for text, 3 for a symbol.
function luminance(rgb) {
    return rgb.map(function (c) {
        c /= 255;
        return c <= .04045 ? c / 12.92 : Math.pow((c + .055) / 1.055, 2.4);
    }).reduce(function (sum, c, i) { return sum + c * [.2126, .7152, .0722][i]; }, 0);
}
function contrast(a, b) {
    var l = [luminance(a), luminance(b)].sort(function (x, y) { return y - x; });
    return (l[0] + .05) / (l[1] + .05);
}
function colour(css) {
    var parts = css.match(/[\d.]+/g).map(Number);
    return parts.length === 4 && parts[3] === 0 ? null : parts.slice(0, 3);
}
function ground(element) {
    for (; element; element = element.parentElement) {
        var found = colour(getComputedStyle(element).backgroundColor);
        if (found) return found;
    }
    return [255, 255, 255];
}
// Not innerWidth: a phone zooms out if an element is wider than the screen.
var faults = [], width = document.documentElement.clientWidth;
if (document.documentElement.scrollWidth > width)
    faults.push('scrolls sideways: ' + document.documentElement.scrollWidth);
document.querySelectorAll('body *').forEach(function (element) {
    var box = element.getBoundingClientRect(), style = getComputedStyle(element);
    var name = element.tagName + '.' + (element.getAttribute('class') || '');
    var text = [].some.call(element.childNodes, function (node) {
        return node.nodeType === 3 && node.textContent.trim() !== '';
    });
    if (element.tagName === 'SCRIPT' || box.width === 0) return;
    if (box.left < -.5 || box.right > width + .5)
        faults.push(name + ' sticks out: ' + box.left + ' to ' + box.right);
    if (element.matches('a, .choice, input[type=text]') && box.height < 44)
        faults.push(name + ' is only ' + box.height + ' px high');
    if (text && contrast(colour(style.color), ground(element)) < 4.5)
        faults.push(name + ' is hard to read: ' + style.color + ' on ' + ground(element));
    if (element.matches('svg.mark')) {
        var wash = colour(getComputedStyle(element.firstElementChild).fill);
        if (contrast(colour(style.color), wash) < 3)
            faults.push('the mark is hard to see');
    }
});
return faults;
