package andon

import (
	"regexp"
	"slices"
)

// mostTickets bounds the tickets of one message.
const mostTickets = 20

var (
	// ticketPattern finds what people call tickets in messages: SHOP-12 or #12, with what is before it.
	ticketPattern = regexp.MustCompile(`\b[A-Z][A-Z0-9]{1,19}-[1-9][0-9]{0,11}\b|(?:^|[\s(\[,:])#[1-9][0-9]{0,11}\b`)
	ticketKey     = regexp.MustCompile(`[A-Z#].*`)
)

// TicketsIn returns the tickets that a message names, each once, in their order; the first 20.
func TicketsIn(message string) []string {
	var tickets []string
	for _, found := range ticketPattern.FindAllString(message, -1) {
		key := ticketKey.FindString(found)
		if !slices.Contains(tickets, key) {
			tickets = append(tickets, key)
		}
		if len(tickets) == mostTickets {
			break
		}
	}
	return tickets
}
