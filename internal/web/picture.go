package web

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/andon-cd/andon/internal/andon"
	"github.com/andon-cd/andon/internal/metrics"
)

// Sizes in the picture of a line, in the units of its own box: textSize of them are as high as the
// text of the page.
const (
	textSize   = 14.0
	smallSize  = 12.0
	glyph      = 7.4 // how wide a glyph is on average, on the safe side
	boxWidth   = 262.0
	tallWidth  = 330.0
	gapAcross  = 66.0 // between stages side by side
	gapDown    = 44.0 // between stages one above the other
	mostAcross = 6    // stages that a wide screen shows at once; with more, the picture scrolls
	rowHeight  = 24.0
	padding    = 12.0
	ropeHeight = 26.0 // of what tells of a cord above the stages
	headHeight = 34.0
)

// A picture is a drawing of a service's line: stages in their order, with what is at each.
type picture struct {
	ID            string // of the elements that name it
	Class         string
	Width, Height float64
	Em            float64 // its width in the height of the page's text
	Words         string  // for those who do not see it
	Groups        []group
}

// A group is a part of a picture that is told as one.
type group struct {
	Class string
	Label string // empty: what it shows is told elsewhere
	Items []figure
}

// A figure is a shape or a text. With Href it is a link.
type figure struct {
	Class         string
	X, Y          float64
	Width, Height float64 // of a rectangle, or of what takes a link's clicks
	Path          string  // of a shape that is no rectangle
	Spans         []textSpan
	End           bool // the text ends at X, instead of beginning there
	Href          string
	Label         string // of a link
	Title         string // what the text was cut from
}

// LinkTop is where the area of a link begins.
func (f figure) LinkTop() float64 { return f.Y - f.Height + 8 }

// A textSpan is a piece of a text.
type textSpan struct {
	Class string
	Text  string
	Since time.Time // told as an age; zero: Text is told
	Ago   bool      // it was then; else it is so since then
}

// Suffix is what follows the age.
func (s textSpan) Suffix() string {
	if s.Ago {
		return " ago"
	}
	return ""
}

// A rope is a cord that is pulled, drawn over the stages from one to another.
type rope struct {
	stop
	from, to int
}

// ropes says which stages each cord holds versions back from.
func ropes(stations []station, stops []stop) []rope {
	var all []rope
	for _, s := range stops {
		r := rope{stop: s, from: -1}
		for i, st := range stations {
			if slices.Contains(st.Cords, s.ID) {
				if r.from < 0 {
					r.from = i
				}
				r.to = i
			}
		}
		if r.from >= 0 {
			all = append(all, r)
		}
	}
	return all
}

// drawAcross draws the stages side by side, as wide screens have room for.
func drawAcross(service andon.ServiceName, stations []station, stops []stop) picture {
	p := picture{ID: "across", Class: "across", Words: words(service, stations, stops)}
	if len(stations) > mostAcross {
		p.Class = "across long"
	}
	x := func(i int) float64 { return 1 + float64(i)*(boxWidth+gapAcross) }
	top := 1.0
	for _, r := range ropes(stations, stops) {
		from := x(r.from) - gapAcross/2
		p.Groups = append(p.Groups, ropeOf(r, from, top, x(r.to)+boxWidth-from))
		top += ropeHeight + 6
	}
	lowest := top
	for i, st := range stations {
		box := drawStation(service, st, x(i), top, boxWidth)
		lowest = max(lowest, box.bottom)
		if i > 0 {
			middle := top + headHeight/2
			p.Groups = append(p.Groups, track(st, fmt.Sprintf("M%g %gH%g", x(i)-gapAcross+2, middle, x(i)-10),
				fmt.Sprintf("M%g %gl-9 -6v12z", x(i)-2, middle), x(i)-gapAcross/2-4, middle, false))
		}
		p.Groups = append(p.Groups, box.group)
	}
	p.size(x(len(stations)-1)+boxWidth+1, lowest+1)
	return p
}

// drawDown draws the stages one above the other, for telephones.
func drawDown(service andon.ServiceName, stations []station, stops []stop) picture {
	p := picture{ID: "down", Class: "down", Words: words(service, stations, stops)}
	all := ropes(stations, stops)
	y := 1.0
	for i, st := range stations {
		if i > 0 {
			p.Groups = append(p.Groups, track(st, fmt.Sprintf("M%g %gV%g", tallWidth/2, y+2, y+gapDown-10),
				fmt.Sprintf("M%g %gl-6 -9h12z", tallWidth/2, y+gapDown-2), tallWidth/2, y+gapDown/2-4, true))
			y += gapDown
		}
		for _, r := range all {
			if r.from == i {
				p.Groups = append(p.Groups, ropeOf(r, 1, y, tallWidth-2))
				y += ropeHeight + 6
			}
		}
		box := drawStation(service, st, 1, y, tallWidth-2)
		p.Groups = append(p.Groups, box.group)
		y = box.bottom
	}
	p.size(tallWidth, y+1)
	return p
}

func (p *picture) size(width, height float64) {
	p.Width, p.Height, p.Em = width, height, width/textSize
}

// words tells the whole picture.
func words(service andon.ServiceName, stations []station, stops []stop) string {
	var b strings.Builder
	fmt.Fprintf(&b, "The line of %s has %d stages, in this order.", service, len(stations))
	for _, st := range stations {
		b.WriteString(" " + st.Sentence())
	}
	for _, s := range stops {
		fmt.Fprintf(&b, " %s is pulled for %s by %s: %s.", s.ID, s.Scope, s.Owner, s.Reason)
	}
	return b.String()
}

// ropeOf draws a cord that is pulled: over the stages that it keeps versions from.
func ropeOf(r rope, x, y, width float64) group {
	text := fmt.Sprintf("%s, pulled by %s: %s", r.ID, r.Owner, r.Reason)
	room := (width-2*padding-70)/1.1 - 2*glyph // its letters are bold
	return group{Class: "rope", Items: []figure{
		{Class: "rope", X: x, Y: y, Width: width, Height: ropeHeight},
		{X: x + padding, Y: y + ropeHeight - 8, Title: text, Spans: []textSpan{{Text: "■ " + fit(text, room)}}},
		{X: x + width - padding, Y: y + ropeHeight - 8, End: true, Spans: []textSpan{{Since: r.Pulled}}},
	}}
}

// track draws how versions come to a stage: freely, past somebody who lets them in, or not at all.
func track(st station, line, head string, x, y float64, down bool) group {
	g := group{Class: "way", Items: []figure{{Class: "track", Path: line}, {Class: "head", Path: head}}}
	if st.Look() == "moving" {
		g.Class = "way moving"
	}
	beside := func(class, text string) figure {
		if down {
			return figure{Class: class, X: x + 14, Y: y + 5, Spans: []textSpan{{Text: text}}}
		}
		return figure{Class: class + " middle", X: x, Y: y + 24, Spans: []textSpan{{Text: text}}}
	}
	switch {
	case len(st.Cords) > 0:
		g.Class = "way held"
		g.Items = append(g.Items, figure{Class: "stop", X: x - 8, Y: y - 8, Width: 16, Height: 16}, beside("stop small", "stopped"))
	case st.Approval:
		g.Items = append(g.Items, figure{Class: "gate", Path: fmt.Sprintf("M%g %gl9 9l-9 9l-9 -9z", x, y-9)}, beside("small", "approval"))
	}
	return g
}

// A drawing is a group that is being drawn from the top down.
type drawing struct {
	group
	service     andon.ServiceName
	x, y, width float64
	bottom      float64
}

func drawStation(service andon.ServiceName, st station, x, y, width float64) drawing {
	d := drawing{group: group{Class: "station " + st.Look(), Label: st.Sentence()}, service: service, x: x, y: y, width: width}
	if st.Broken {
		d.Class += " broken"
	}
	d.Items = append(d.Items, figure{}) // the box, whose height is known at the end
	d.text(headHeight-11, "name", string(st.Name))
	if st.shown.Took > 0 {
		d.end(headHeight-11, "small", "took "+metrics.Short(st.shown.Took))
	}
	d.y += headHeight
	if st.Grants != "" {
		d.text(10, "small", "grants "+string(st.Grants))
		d.y += rowHeight - 6
	}
	for i, v := range st.Visitors {
		d.visitor(v, i == 0)
	}
	if st.More > 0 {
		d.row("small", fmt.Sprintf("and %d more", st.More))
	}
	if len(st.Visitors) == 0 {
		d.row("faint", "no version yet")
	}
	d.jobs(st)
	if st.Place != nil {
		d.place(st.Place)
	}
	d.bottom = d.y + 6
	d.Items[0] = figure{Class: "box", X: x, Y: y, Width: width, Height: d.bottom - y}
	return d
}

// text writes at the left edge, end at the right one; below is how far down from the present row.
func (d *drawing) text(below float64, class, text string) {
	room := d.width - 2*padding
	if class == "small" {
		room *= textSize / smallSize
	}
	cut := fit(text, room)
	d.Items = append(d.Items, figure{Class: class, X: d.x + padding, Y: d.y + below, Title: cutFrom(text, cut), Spans: []textSpan{{Text: cut}}})
}

func (d *drawing) end(below float64, class, text string) {
	d.Items = append(d.Items, figure{Class: class, X: d.x + d.width - padding, Y: d.y + below, End: true, Spans: []textSpan{{Text: text}}})
}

func (d *drawing) row(class, text string) {
	d.text(rowHeight-8, class, text)
	d.y += rowHeight
}

// aged writes at the right edge since when something is, or when it was.
func (d *drawing) aged(since time.Time, ago bool) {
	d.Items = append(d.Items, figure{Class: "faint", X: d.x + d.width - padding, Y: d.y + rowHeight - 8, End: true, Spans: []textSpan{{Since: since, Ago: ago}}})
}

// link writes a row at the left edge that leads somewhere.
func (d *drawing) link(href, label, class string, spans ...textSpan) {
	d.Items = append(d.Items, figure{
		Class: class, X: d.x + padding, Y: d.y + rowHeight - 8, Width: d.width - 2*padding - 70, Height: rowHeight,
		Href: href, Label: label, Spans: spans,
	})
}

func (d *drawing) visitor(v visitor, first bool) {
	room := d.width - 2*padding - 70 - glyph*float64(len(v.Number.String())+3)
	words := fit(v.Words, room) // what is said of a link has to be what is seen of it
	d.link(versionPath(andon.VersionRef{Service: d.service, Number: v.Number}), fmt.Sprintf("version %s %s", v.Number, words), "visitor "+v.Look,
		textSpan{Class: "sign", Text: mark(v.Look) + " "}, textSpan{Class: "number", Text: v.Number.String()}, textSpan{Text: " " + words})
	d.aged(v.Since, v.Look == "done" || v.Look == "failed")
	d.y += rowHeight
	if first && v.Subject != "" {
		d.text(rowHeight-12, "small", v.Subject)
		d.y += rowHeight - 4
	}
}

func (d *drawing) jobs(st station) {
	if len(st.Jobs) == 0 {
		return
	}
	d.rule("jobs of " + st.ref.Number.String())
	for _, j := range st.Jobs {
		name := fit(string(j.Name), d.width-2*padding-90)
		spans := []textSpan{{Class: "sign", Text: mark(j.Look) + " "}, {Text: name}}
		if j.Log != "" {
			d.link("/logs/"+j.Log, fmt.Sprintf("job %s %s: its log", name, j.Words), "job "+j.Look, spans...)
		} else {
			d.Items = append(d.Items, figure{Class: "job " + j.Look, X: d.x + padding, Y: d.y + rowHeight - 8, Spans: spans})
		}
		switch {
		case !j.Since.IsZero():
			d.aged(j.Since, false)
		case j.Took != "":
			d.end(rowHeight-8, "faint", j.Took)
		default:
			d.end(rowHeight-8, "faint", j.Words)
		}
		d.y += rowHeight
	}
	if st.Unnamed > 0 {
		d.row("small", fmt.Sprintf("and %d more", st.Unnamed))
	}
}

// rule parts what follows from what is above it, and says what it is.
func (d *drawing) rule(text string) {
	d.Items = append(d.Items, figure{Class: "rule", Path: fmt.Sprintf("M%g %gh%g", d.x+padding, d.y+8, d.width-2*padding)})
	d.y += 8
	d.row("small", text)
}

// place draws what runs in the environment that a stage deploys to.
func (d *drawing) place(p *place) {
	top := d.y + 6
	height := 2 * rowHeight
	if p.Moving != nil {
		height += rowHeight
	}
	d.Items = append(d.Items, figure{Class: "place", X: d.x + 1, Y: top, Width: d.width - 2, Height: height + 4})
	d.y = top
	d.link("/environments/"+string(p.Environment), "in "+string(p.Environment)+": the environment", "environment", textSpan{Text: "in "}, textSpan{Class: "number", Text: string(p.Environment)})
	if p.Live == 0 {
		d.y += rowHeight
		d.row("faint", "nothing is live")
	} else {
		d.aged(p.Since, false)
		d.y += rowHeight
		class, sign := "visitor", ""
		if p.Healthy < p.Wanted && p.Moving == nil { // while it changes, that is as it should be
			class, sign = "visitor fewer", "▲ "
		}
		words := " is live, " + sign + fmt.Sprintf("%d of %d healthy", p.Healthy, p.Wanted)
		d.link(versionPath(andon.VersionRef{Service: d.service, Number: p.Live}), "version "+p.Live.String()+words+", in "+string(p.Environment), class,
			textSpan{Class: "number", Text: p.Live.String()}, textSpan{Text: words})
		d.y += rowHeight
	}
	if m := p.Moving; m != nil {
		arrow := "→ "
		if m.Back {
			arrow = "↶ "
		}
		d.link(deploymentPath(d.service, m.ID), fmt.Sprintf("%s %s: the deployment", m.Version, m.Step), "visitor moving",
			textSpan{Text: arrow}, textSpan{Class: "number", Text: m.Version.String()}, textSpan{Text: " " + m.Step})
		d.y += rowHeight
	}
	d.y += 4
}

// fit cuts a text that would be wider than there is room. Glyphs of East Asia count twice.
func fit(text string, room float64) string {
	used, last := 0.0, 0
	for i, r := range text {
		used += glyph
		if r > 0x1100 && (r < 0x2000 || r > 0x2fff) {
			used += glyph
		}
		if used > room {
			return strings.TrimRight(text[:last], " ") + "…"
		}
		last = i
	}
	return text
}

// cutFrom returns what a text was cut from; empty if it was not.
func cutFrom(text, cut string) string {
	if text == cut {
		return ""
	}
	return text
}
