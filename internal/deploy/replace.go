package deploy

// replace is blueGreen for hosts that are never changed: every copy of the new group is a new
// instance made from the release's image, and the old ones are removed once the new ones have
// stayed well. No old group is kept warm and none is used again, also not by a rollback, which
// makes new instances from the older image (see Reuses): what is live was made from exactly what
// its release says, and nothing has happened to it since. How a driver makes instances is the
// platform's affair (docs/decisions, on immutable hosts).
func replace(v *view) Step { return blueGreen(v) }
