package diag

// A BreakGlass as findings show it.
const goodBreakGlass = "apiVersion: meshc.dev/v1alpha1\nkind: BreakGlass\nmetadata: {name: web-to-cart, namespace: shop}\nspec:\n  from: shop/web\n  to: shop/cart:80\n  reason: INC-1234\n  by: alice\n  until: \"2027-01-31T18:00:00Z\""

// breakGlassCodes are MSH11xx: what somebody opens in a running cluster for a while.
var breakGlassCodes = []Entry{
	{Code: "MSH1101", Title: "a BreakGlass is no policy to build from", Build: Error, Admission: Info, Live: Info,
		Explain: "A BreakGlass opens one way in a running cluster, and the control plane takes it away when its time is over. A bundle has no clock: built into one, it would stay open until somebody builds the next. So a tree that holds one is not built, whatever `--now` says.\n\nOpen it with `meshc breakglass allow`. What is to stay open is a TrafficTarget.",
		Bad:     goodBreakGlass, Good: "meshc breakglass allow shop/web shop/cart:80 --for 1h --reason INC-1234"},
	same(Error, "MSH1102", "a BreakGlass opens another namespace",
		"A BreakGlass lies in the namespace of the service that it opens, as a TrafficTarget does: whoever may write policy in one namespace must not open another.",
		"metadata: {name: web-to-cart, namespace: web}\nspec: {from: web/web, to: shop/cart:80}", "metadata: {name: web-to-cart, namespace: shop}\nspec: {from: web/web, to: shop/cart:80}"),
	same(Error, "MSH1103", "a BreakGlass lasts too long",
		"What is opened in an emergency ends by itself, and soon: after 4 hours at the latest, or after what `breakGlass: {longest: ...}` of the Mesh says, which is never more than 7 days. It is counted from when the cluster took the object. With `longest: 0s` nothing may be opened.\n\nOpen it for less. What is to stay open is a TrafficTarget.",
		"until: \"2037-01-31T18:00:00Z\"", "until: \"2027-01-31T18:00:00Z\"   # within the hour"),
	{Code: "MSH1104", Title: "a BreakGlass opens nothing", Build: Error, Admission: Error, Live: Warning,
		Explain: "The account that is to call, or the service and port that it is to reach, is not there, or has no workload in the mesh. Who opens something in an emergency is told at once, so at admission it is an error. Later it is a warning: nothing is open while something is missing.",
		Bad:     "spec: {from: shop/wep, to: shop/cart:80}", Good: "spec: {from: shop/web, to: shop/cart:80}"},
	same(Error, "MSH1105", "a BreakGlass names somebody else",
		"`by` says who opens it, `endedBy` who ended it early. Both are records: they name the user that the API server knows the request of, and nobody else. `kubectl auth whoami` tells your name.",
		"by: bob          # of a request by alice", "by: alice"),
	same(Error, "MSH1106", "a record of a BreakGlass is changed",
		"A BreakGlass is a record of what was open, for whom and why. What it says stays. It may be ended early, once, with `endedBy`; `meshc breakglass end` does. To open something else, or for longer, write another one.",
		"until: moved to a later time", "meshc breakglass end shop/web-to-cart\nmeshc breakglass allow shop/web shop/cart:80 --for 1h --reason INC-1235"),
	same(Warning, "MSH1107", "a BreakGlass is over before it begins",
		"Its end lies in the past, so it opens nothing. A record that is restored from a backup is one of these.",
		"until: \"2020-01-31T18:00:00Z\"", "until: \"2027-01-31T18:00:00Z\""),
	same(Error, "MSH1108", "nothing can be opened for a while in this mesh",
		"A BreakGlass is laid over the policy that the control plane compiles of the cluster's objects. Where the Mesh names a bundle that is served instead, it would change nothing; while the Mesh is suspended, nothing new comes in force. One that is open when the Mesh is suspended ends at its time all the same.\n\nOver a bundle, change its sources, build and publish it: that is a record as well. Or take `bundle` out of the Mesh, and the cluster's objects count.",
		"apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: shop}\nspec: {bundle: {oci: registry.example/mesh:stable}}",
		"apiVersion: meshc.dev/v1alpha1\nkind: Mesh\nmetadata: {name: shop}\nspec: {mode: strict}"),
}
