package line

import "testing"

// A service was removed and added again while its old copies were stopping; a deployment that was
// planned meanwhile and cancelled was forgotten with the place, and its number was given again.
func TestDeploymentNumbersAreNeverGivenTwiceInAPlaceThatIsForgotten(t *testing.T) {
	const seed = 69540 // of the history in which the simulation found it
	if broken, _ := play(t, seed); len(broken) > 0 {
		t.Errorf("seed %d: %s", seed, broken[0])
	}
}
