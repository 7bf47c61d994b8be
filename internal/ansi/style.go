package ansi

// A Color is one of the sixteen that every terminal has, or none. Whoever shows it decides how it
// looks, so that it can be read on any paper.
type Color uint8

// The colors, in the order of their codes.
const (
	Default Color = iota
	Black
	Red
	Green
	Yellow
	Blue
	Magenta
	Cyan
	White
	BrightBlack
	BrightRed
	BrightGreen
	BrightYellow
	BrightBlue
	BrightMagenta
	BrightCyan
	BrightWhite
)

// A Style is how characters look. The zero value is plain text.
type Style struct {
	Foreground, Background                 Color
	Bold, Faint, Italic, Underline, Strike bool

	inverse bool
}

// seen returns the style with its colors in the places where they are seen.
func (s Style) seen() Style {
	if s.inverse {
		s.Foreground, s.Background = s.Background, s.Foreground
		if s.Background == Default {
			s.Background = White
		}
	}
	s.inverse = false
	return s
}

// set applies the parameters of one SGR sequence.
func (s *Style) set(parameters []int) {
	if len(parameters) == 0 {
		*s = Style{}
	}
	for i := 0; i < len(parameters); i++ {
		switch n := parameters[i]; {
		case n == 0:
			*s = Style{}
		case n == 1:
			s.Bold = true
		case n == 2:
			s.Faint = true
		case n == 3:
			s.Italic = true
		case n == 4 || n == 21:
			s.Underline = true
		case n == 7:
			s.inverse = true
		case n == 9:
			s.Strike = true
		case n == 22:
			s.Bold, s.Faint = false, false
		case n == 23:
			s.Italic = false
		case n == 24:
			s.Underline = false
		case n == 27:
			s.inverse = false
		case n == 29:
			s.Strike = false
		case n >= 30 && n <= 37:
			s.Foreground = Black + Color(n-30)
		case n == 38:
			i += extended(&s.Foreground, parameters[i+1:])
		case n == 39:
			s.Foreground = Default
		case n >= 40 && n <= 47:
			s.Background = Black + Color(n-40)
		case n == 48:
			i += extended(&s.Background, parameters[i+1:])
		case n == 49:
			s.Background = Default
		case n >= 90 && n <= 97:
			s.Foreground = BrightBlack + Color(n-90)
		case n >= 100 && n <= 107:
			s.Background = BrightBlack + Color(n-100)
		}
	}
}

// extended reads a color of 256 (5;N) or a true one (2;R;G;B), and returns how many parameters it
// took.
func extended(c *Color, rest []int) int {
	switch {
	case len(rest) >= 2 && rest[0] == 5:
		*c = ofPalette(rest[1])
		return 2
	case len(rest) >= 4 && rest[0] == 2:
		*c = nearest(rest[1], rest[2], rest[3])
		return 4
	default:
		return len(rest)
	}
}

// ofPalette returns the nearest color to one of xterm's 256: sixteen named ones, a cube of 6×6×6,
// and 24 greys.
func ofPalette(n int) Color {
	switch {
	case n < 0 || n > 255:
		return Default
	case n < 16:
		return Black + Color(n)
	case n < 232:
		n -= 16
		level := func(i int) int {
			if i == 0 {
				return 0
			}
			return 55 + 40*i
		}
		return nearest(level(n/36), level(n/6%6), level(n%6))
	default:
		grey := 8 + 10*(n-232)
		return nearest(grey, grey, grey)
	}
}

// nearest returns the color of the same hue, the bright one for bright colors. What has hardly any
// hue is one of black, white and the greys between.
func nearest(r, g, b int) Color {
	r, g, b = min(r, 255), min(g, 255), min(b, 255)
	high, low := max(r, g, b), min(r, g, b)
	if (high-low)*4 <= high { // of HSV, a saturation of a quarter at most
		return []Color{Black, BrightBlack, White, BrightWhite}[high/64]
	}
	hue := hueOf(r, g, b, high, high-low)
	c := []Color{Red, Yellow, Green, Cyan, Blue, Magenta}[(hue+30)/60%6]
	if high > 215 {
		c += BrightBlack - Black
	}
	return c
}

// hueOf returns the hue of HSV in degrees, from 0 to 359.
func hueOf(r, g, b, high, spread int) int {
	var hue int
	switch high {
	case r:
		hue = 60 * (g - b) / spread
	case g:
		hue = 120 + 60*(b-r)/spread
	default:
		hue = 240 + 60*(r-g)/spread
	}
	return (hue + 360) % 360
}
