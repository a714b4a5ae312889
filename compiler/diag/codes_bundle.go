package diag

// bundleCodes are MSH04xx: bundles that cannot be taken.
var bundleCodes = []Entry{
	same(Error, "MSH0401", "this is not a bundle",
		`A bundle is a folder with a manifest.json that names every other file with its size and digest. Here that file is missing or is no JSON, so nothing can be said of the rest.

Name the folder that "meshc build -o DIR" wrote. If this is that folder, it was damaged on the way: copy it again.`,
		"meshc verify ./manifests   # SMI manifests are no bundle", "meshc build ./manifests -o ./bundle\nmeshc verify ./bundle"),
	same(Error, "MSH0402", "the bundle has a format that this meshc does not read",
		`A bundle's format has a major and a minor number. A reader takes every minor of its own major, because what is new in them can be ignored. It refuses another major, because it would misread it.

Use the meshc that built the bundle, or one of the same major format, or build the bundle again.`,
		"# manifest.json\nformat: {major: 2, minor: 0}", "# manifest.json\nformat: {major: 1, minor: 0}"),
	same(Error, "MSH0403", "the bundle requires what this meshc does not have",
		`A bundle lists the features without which its policy cannot be enforced as it was compiled, such as the least version of Envoy. A reader that does not know one of them refuses the bundle: it might serve a part of the policy only, and leave open what the rest would close.

Use a newer meshc to serve it, or build it with the meshc that serves.`,
		"# manifest.json\nrequires: [a-feature-of-tomorrow]", "# manifest.json\nrequires: [envoy-1.40]"),
	same(Error, "MSH0404", "the bundle is incomplete",
		`A file that the manifest lists is missing, or its size is not what the manifest says: usually a copy that was cut short. meshc itself never leaves such a folder: it writes a bundle beside the target and then renames it.

Copy the whole folder again, or build the bundle again.`,
		"cp bundle/manifest.json bundle/index /srv/mesh/", "cp -r bundle /srv/mesh"),
	same(Error, "MSH0405", "the bundle is damaged",
		`The bytes of a file are not those that were written: their digest differs from the one in the manifest, or the manifest's own digest does not fit. Nothing of it is served, because nobody can say what was changed.

Copy the bundle again, or build it again. Do not edit the files of a bundle: change the manifests it was built from.`,
		"sed -i s/strict/permissive/ bundle/ir.json", "# in meshc.yaml\nspec: {mode: permissive}"),
	same(Error, "MSH0406", "the bundle is malformed",
		`The bytes have the digests that the manifest names, but they cannot be read: a number points past the end, a reference leads nowhere, a list is not sorted. No meshc of this format writes such a bundle, so it was made by a defect or by somebody with bad intent.

Do not serve it. Build the bundle again from its sources.`,
		"# an index that refers to resource 12 of 10", "meshc build ./manifests -o ./bundle"),
	same(Error, "MSH0407", "the bundle is too large",
		`A reader takes a file of a bundle into memory only up to a limit, so that a hostile bundle cannot exhaust it. A mesh of ten thousand services stays far below.

Look at what is in the folder: it is hardly a bundle. If your mesh is really that large, split it.`,
		"# resources.pack of 5 GiB", "# resources.pack of 60 MiB"),
	same(Error, "MSH0497", "Envoy refuses the configuration",
		`With --envoy, meshc build shows the configuration of every proxy to an Envoy in its validation mode. This one refuses it, with the reason that the finding quotes. Nothing is written.

Most often the binary is older than 1.40, the version meshc compiles for: compare it with what your proxies run. If it is not, this is a defect of meshc: please report it with the smallest manifests that show it.`,
		"meshc build ./manifests -o ./bundle --envoy /opt/envoy-1.20/envoy", "meshc build ./manifests -o ./bundle --envoy /opt/envoy-1.40/envoy"),
	same(Error, "MSH0498", "the configuration does otherwise than the mesh says",
		`Every build checks itself: it asks the mesh, and the Envoy configuration made of it, the same requests at the boundaries of every policy (paths that just match and just do not, each header present, absent and doubled, each method and one outside, clients with a grant, without one, without a certificate). The finding shows the smallest request on which the two differ. Nothing of the configuration is written or served.

Nothing is wrong with your manifests. Please report it with the request it shows and the smallest manifests that show it. The exit code is 4.`,
		"meshc build ./manifests -o ./bundle   # ends with this finding", "meshc version   # say this in the report"),
	same(Error, "MSH0499", "meshc has a defect",
		`The manifests were accepted, and what was generated from them failed meshc's own checks: a reference that leads nowhere, or a message that Envoy would refuse. Nothing of it is written or served.

Nothing is wrong with your manifests. Please report it with the smallest manifests that show it. The exit code is 4.`,
		"meshc build ./manifests -o ./bundle   # ends with this finding", "meshc version   # say this in the report"),
}
