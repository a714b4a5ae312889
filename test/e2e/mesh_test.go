//go:build e2e

package e2e

import "testing"

// What pods of the bookstore meet on a cluster where meshc is installed, and what its
// administrator does.
func TestBookstore(t *testing.T) {
	install(t)
	bookstore(t)
	t.Run("verdicts", verdictsHold)
	t.Run("change", changesTakeEffect)
	t.Run("broken", brokenObjectsAreJudged)
}
