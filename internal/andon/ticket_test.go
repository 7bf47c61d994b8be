package andon

import (
	"slices"
	"strings"
	"testing"
)

func TestTicketsIn_FindsEachOnceInOrder(t *testing.T) {
	for message, want := range map[string][]string{
		"":                                      nil,
		"Mend the basket":                       nil,
		"PAY-17: mend the basket (#4)":          {"PAY-17", "#4"},
		"Mend\n\nRefs: PAY-17, PAY-9\nSee #12.": {"PAY-17", "PAY-9", "#12"},
		"PAY-17 again PAY-17":                   {"PAY-17"},
		"pay-17, A-1, PAY-0, x#4, C#7":          nil,
		"[AB2-3] and:#5":                        {"AB2-3", "#5"},
	} {
		if got := TicketsIn(message); !slices.Equal(got, want) {
			t.Errorf("%q names %q, want %q", message, got, want)
		}
	}
	if got := TicketsIn(strings.Repeat("X1-1 ", 10) + strings.Repeat("#1 #2 #3 #4 #5 #6 #7 #8 #9 #10 #11 #12 #13 #14 #15 #16 #17 #18 #19 #20 #21 ", 3)); len(got) != mostTickets {
		t.Errorf("%d tickets of one message", len(got))
	}
}
