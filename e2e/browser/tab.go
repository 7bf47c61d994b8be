package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// stepTimeout bounds one thing that a tab is asked to do.
const stepTimeout = 2 * time.Minute

// A Tab is one of a person of its own: it shares no cookies with others.
type Tab struct {
	base   string
	ctx    context.Context
	cancel context.CancelFunc

	mu       sync.Mutex
	problems []string
}

// Open opens a tab on a plant at that address. Close closes it.
func (c *Chromium) Open(base string) (*Tab, error) {
	t := &Tab{base: base}
	t.ctx, t.cancel = chromedp.NewContext(c.ctx, chromedp.WithNewBrowserContext())
	if err := t.begin(); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// watch lets a page tell what its policy forbids, in the console.
const watch = `addEventListener("securitypolicyviolation", (e) =>
  console.error("the policy forbids " + e.violatedDirective + ": " + e.blockedURI + " " + e.sourceFile + ":" + e.lineNumber));`

func (t *Tab) begin() error {
	if err := chromedp.Do(t.ctx); err != nil { // with no time limit: it would be that of the tab
		return err
	}
	if err := chromedp.Listen(t.ctx, t.hear); err != nil {
		return err
	}
	return t.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		for _, enable := range []cdp.Command[cdp.Empty, cdp.Empty]{log.Enable, runtime.Enable, audits.Enable} {
			if _, err := cdp.Call(ctx, target, enable, cdp.Empty{}); err != nil {
				return err
			}
		}
		// Each tab acts as the one that has the focus, however many there are.
		if _, err := cdp.Call(ctx, target, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
			return err
		}
		return addScript(ctx, target, watch)
	}))
}

func addScript(ctx context.Context, target *chromedp.Target, script string) error {
	_, err := cdp.Call(ctx, target, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
	return err
}

// Before runs a script in each page that is opened from now on, before those of the page.
func (t *Tab) Before(script string) error {
	return t.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error { return addScript(ctx, target, script) }))
}

// Close closes the tab.
func (t *Tab) Close() { t.cancel() }

func (t *Tab) do(steps ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(t.ctx, stepTimeout)
	defer cancel()
	return chromedp.Do(ctx, steps...)
}

// hear keeps what must not be: errors and warnings of the console, exceptions, and issues.
func (t *Tab) hear(event any) {
	var problem string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		problem = "exception: " + e.ExceptionDetails.Text
		if thrown := e.ExceptionDetails.Exception; thrown != nil {
			problem += " " + thrown.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type != "error" && e.Type != "warning" && e.Type != "assert" {
			return
		}
		problem = "console: "
		for _, a := range e.Args {
			problem += string(a.Value) + a.Description
		}
	case *log.EventEntryAdded:
		if e.Entry.Level != "error" && e.Entry.Level != "warning" {
			return
		}
		problem = fmt.Sprintf("log: %s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
	case *audits.EventIssueAdded:
		details, _ := json.Marshal(e.Issue.Details) // it came as JSON
		problem = fmt.Sprintf("issue: %s %s", e.Issue.Code, details)
	default:
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.problems = append(t.problems, problem)
}

// Problems returns what must not be and was since the last time, without what holds one of these
// texts.
func (t *Tab) Problems(except ...string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.problems
	t.problems = nil
	return slices.DeleteFunc(all, func(problem string) bool {
		return slices.ContainsFunc(except, func(text string) bool { return strings.Contains(problem, text) })
	})
}

// Go opens a page of the plant, and returns when it is loaded.
func (t *Tab) Go(path string) error { return t.do(chromedp.Navigate(t.base + path)) }

// Click clicks the first element that a CSS selector finds, once it is visible. A live page may draw
// the element again at any moment: then what was found is gone, or the mouse goes down on one element
// and up on another, which is no click. So it clicks until one came to what the selector finds.
func (t *Tab) Click(selector string) error {
	ctx, cancel := context.WithTimeout(t.ctx, stepTimeout)
	defer cancel()
	for {
		came, err := clickOnce(ctx, selector)
		switch {
		case came:
			return nil
		case ctx.Err() != nil || err != nil && !drawnAgain(err):
			return errors.Join(ctx.Err(), err)
		}
	}
}

// clickOnce clicks and reports whether a click came to what the selector finds.
func clickOnce(ctx context.Context, selector string) (came bool, err error) {
	if err := chromedp.Do(ctx, chromedp.ScrollIntoView(chromedp.CSS(selector))); err != nil {
		return false, err
	}
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](fmt.Sprintf(noteClick, selector))); err != nil {
		return false, err
	}
	if err := chromedp.Do(ctx, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible)); err != nil {
		return false, err
	}
	came, err = chromedp.Run(ctx, chromedp.Evaluate[bool]("window.clickCame !== false"))
	if drawnAgain(err) {
		return true, nil // it led to another page
	}
	return came, err
}

// noteClick notes, in the page, whether the next click comes to what a selector finds.
const noteClick = `window.clickCame = false, addEventListener("click", (e) => { window.clickCame = e.target.closest(%q) !== null; }, {capture: true, once: true}), true`

// drawnAgain reports whether an error is what the browser says of an element, or a page, that is there
// no more.
func drawnAgain(err error) bool {
	_, refused := errors.AsType[*cdproto.Error](err)
	return refused || errors.Is(err, chromedp.ErrInvalidDimensions)
}

// Type types into the first element that a CSS selector finds.
func (t *Tab) Type(selector, text string) error {
	return t.do(chromedp.SendKeys(chromedp.CSS(selector), text, chromedp.NodeVisible))
}

// Press presses keys, wherever the focus is. As on a keyboard, a key that the page takes for itself
// writes nothing. Package kb has the names of keys.
func (t *Tab) Press(keys string) error {
	return t.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		for _, key := range keys {
			events := kb.Encode(key)
			down, up := *events[0], *events[len(events)-1]
			if char := events[1]; char.Type == kb.KeyChar { // an event of its own would write in any case
				down.Text, down.UnmodifiedText = char.Text, char.UnmodifiedText
			}
			for _, event := range []input.DispatchKeyEventParams{down, up} {
				if _, err := cdp.Call(ctx, target, input.DispatchKeyEvent, event); err != nil {
					return err
				}
			}
		}
		return nil
	}))
}

// SignIn signs in where the plant asks for it, with the page that is shown.
func (t *Tab) SignIn(token string) error {
	if err := t.Type("input[name=token]", token); err != nil {
		return err
	}
	return t.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := chromedp.Submit(chromedp.CSS("input[name=token]"))(ctx, target)
		return err
	}))
}

// A Look is how a page is looked at.
type Look struct {
	Width, Height int64
	Scale         float64 // of device pixels; 0: 1
	Dark          bool
	Still         bool   // with less motion
	Media         string // "print"; empty: the screen
}

// Look changes how the pages of the tab are looked at.
func (t *Tab) Look(l Look) error {
	scheme, motion := "light", "no-preference"
	if l.Dark {
		scheme = "dark"
	}
	if l.Still {
		motion = "reduce"
	}
	if l.Scale == 0 {
		l.Scale = 1
	}
	media := emulation.SetEmulatedMediaParams{Media: l.Media, Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: motion},
	}}
	return t.do(chromedp.EmulateViewport(l.Width, l.Height, chromedp.EmulateScale(l.Scale)),
		chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, media)
			return err
		}))
}

// Picture returns what the tab shows as a PNG; whole: all of the page.
func (t *Tab) Picture(whole bool) (picture []byte, err error) {
	take := chromedp.CaptureScreenshot()
	if whole {
		take = chromedp.FullScreenshot(100)
	}
	ctx, cancel := context.WithTimeout(t.ctx, stepTimeout)
	defer cancel()
	return chromedp.Run(ctx, take)
}

// Eval returns what an expression of JavaScript is in the page, also when it is a promise.
func Eval[T any](t *Tab, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(t.ctx, stepTimeout)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}
