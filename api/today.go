package api

import "context"

// A Today is what the head of the board says: how the plant delivers now.
type Today struct {
	Deployments int   `json:"deployments" doc:"to production that became live since midnight, by the clock of the plant; rollbacks are none"`
	Lost        int64 `json:"requests_lost" doc:"that failed in what was deployed to production since then"`
	LeadMS      int64 `json:"change_lead_time_ms" doc:"from commit to production in the last 30 days, median"`
	Changes     int   `json:"changes" doc:"of which; 0: the lead time is not known"`
}

// Today returns what the head of the board says.
func (c *Client) Today(ctx context.Context) (t Today, err error) {
	return t, c.get(ctx, path("today"), nil, &t)
}
