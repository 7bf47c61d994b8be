package browser_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/andon-cd/andon/e2e/browser"
	"github.com/andon-cd/andon/e2e/planttest"
)

func TestMain(m *testing.M) { planttest.Main(m) }

// chromium is the one browser of a run; each test has tabs of its own in it.
var chromium = sync.OnceValues(func() (*browser.Chromium, error) {
	return browser.Start(filepath.Join(planttest.Root(), "chromium"))
})

// needChromium skips the test where there is no browser, before anything else is done.
func needChromium(t *testing.T) {
	t.Helper()
	if _, err := browser.Find(); err != nil {
		t.Skip(err)
	}
}

// A tab is one of the browser, whose problems fail the test.
type tab struct {
	*browser.Tab
	t      *testing.T
	except []string // what may stand in the console
}

// openTab opens a tab on the plant at that address, and closes it with the test.
func openTab(t *testing.T, address string) *tab {
	t.Helper()
	c, err := chromium()
	if errors.Is(err, browser.ErrNoChromium) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	opened, err := c.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	b := &tab{Tab: opened, t: t}
	t.Cleanup(func() {
		for _, problem := range b.Problems(b.except...) {
			t.Errorf("the browser complains: %s", problem)
		}
		b.Close()
	})
	b.look(desk)
	return b
}

// openSignedIn is openTab of somebody who has signed in and sees the board.
func openSignedIn(t *testing.T, address, token string) *tab {
	t.Helper()
	b := openTab(t, address)
	b.except = append(b.except, "401 (Unauthorized)")
	b.open("/board")
	b.must(b.SignIn(token))
	b.sees("#head")
	return b
}

func (b *tab) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// How pages are looked at.
var (
	desk  = browser.Look{Width: 1920, Height: 1080}
	phone = browser.Look{Width: 390, Height: 844}
)

func (b *tab) look(l browser.Look) {
	b.t.Helper()
	b.must(b.Look(l))
}

func (b *tab) open(path string) {
	b.t.Helper()
	b.must(b.Go(path))
}

func (b *tab) click(selector string) {
	b.t.Helper()
	if err := b.Click(selector); err != nil {
		b.t.Fatalf("clicking %s: %v", selector, err)
	}
}

// eval returns what an expression of JavaScript is in the page.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	value, err := browser.Eval[T](b.Tab, expression)
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// patience bounds how long a page may take to show what a plant on a busy machine does meanwhile.
const patience = planttest.Patience

// holds waits until an expression of JavaScript holds in the page. It may be loaded again meanwhile.
func (b *tab) holds(expression string) {
	b.t.Helper()
	planttest.Until(b.t, patience, expression, func() error {
		held, err := browser.Eval[bool](b.Tab, expression)
		if err == nil && !held {
			text, _ := browser.Eval[string](b.Tab, "document.title + ': ' + document.body.innerText.slice(0, 1500)")
			err = fmt.Errorf("the page shows: %s", text)
		}
		if errors.Is(err, context.Canceled) {
			b.t.Fatal(err)
		}
		return err
	})
}

// sees waits until the page is loaded and an element is there that holds these texts.
func (b *tab) sees(selector string, texts ...string) {
	b.t.Helper()
	condition := "document.readyState === 'complete' && " + fmt.Sprintf("[...document.querySelectorAll(%q)].some((e) => e.checkVisibility()", selector)
	for _, text := range texts {
		condition += fmt.Sprintf(" && e.innerText.includes(%q)", text)
	}
	b.holds(condition + ")")
}

// mark marks what is loaded now; stays fails the test if it was loaded again since.
func (b *tab) mark() { b.t.Helper(); eval[bool](b, "window.marked = true") }

func (b *tab) stays() {
	b.t.Helper()
	if !eval[bool](b, "window.marked === true") {
		b.t.Error("the page was loaded again")
	}
}

// icon waits until the tab's icon and title show a state.
func (b *tab) icon(state, sign string) {
	b.t.Helper()
	b.holds(fmt.Sprintf("new URL(document.getElementById('icon').href).pathname === '/static/%s.svg'", state))
	if title := eval[string](b, "document.title"); !strings.HasPrefix(title, sign) {
		b.t.Errorf("the title is %q", title)
	}
}
