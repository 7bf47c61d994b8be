package past

// subjects are what is pushed in a made-up past.
var subjects = []string{
	"Charge the right tax for books", "Remember the basket between visits", "Answer in half the time when stock is low",
	"Show prices in the customer's currency", "Retry the payment once when the bank is slow", "Let the office export orders",
	"Mend the sorting of search results", "Say why a card was refused", "Load pictures when they are needed", "Close accounts on request",
}
