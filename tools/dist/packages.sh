# Sourced by make: Debian's packages for one architecture, and sources, into OUT; nothing is installed.
libraries="libc6-dev linux-libc-dev libgcc-12-dev libssl-dev libjansson-dev libutf8proc-dev liblbfgs-dev libsqlite3-dev
    libbz2-dev zlib1g-dev libpng-dev libturbojpeg0-dev libedit-dev libbsd-dev libmd-dev libncurses-dev libc-ares-dev"
sources="libzip curl"
# What is linked: their licences go into NOTICE.
linked="libc6-dev libgcc-12-dev libssl-dev libjansson-dev libutf8proc-dev liblbfgs-dev libsqlite3-dev libbz2-dev zlib1g-dev
    libpng-dev libturbojpeg0-dev libedit-dev libbsd-dev libmd-dev libncurses-dev libc-ares-dev"

# apt-get with lists, status and cache of its own, from the mirrors that this system is set up for, sources too.
private_apt() { # private_apt ARCHITECTURE ARGUMENT...
    state=$DIST_OUT/apt-$1
    architecture=$1
    shift
    if [ ! -d "$state" ]; then
        mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/sources"
        : >"$state/status"
        : >"$state/list"
        release=$(. /etc/os-release && echo "$VERSION_CODENAME")
        for file in /etc/apt/sources.list.d/*.sources; do # stanzas of this release, as binaries and sources
            [ ! -f "$file" ] || awk -v RS= -v ORS='\n\n' "/Suites:[^\n]*$release/" "$file" |
                sed 's/^Types:.*/Types: deb deb-src/; /^Architectures:/d' >"$state/sources/$(basename "$file")"
        done
        for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
            [ ! -f "$file" ] || sed -n "/^deb .*[ -]*$release/{s/ \[[^]]*arch=[^]]*\]//;p;s/^deb /deb-src /;p}" "$file" >>"$state/list"
        done
    fi
    apt-get -q -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" -o Dir::State::Lists="$state/lists" \
        -o Dir::Cache="$state/cache" -o Dir::State::status="$state/status" -o Dir::Etc::sourcelist="$state/list" \
        -o Dir::Etc::sourceparts="$state/sources" -o APT::Sandbox::User=root "$@"
}

get_packages() {
    stamp "$arch-sysroot" "$libraries" && return
    say "$arch: libraries of Debian (30 MB)"
    quietly "$arch-apt.log" private_apt "$arch" update
    quietly "$arch-apt.log" private_apt "$arch" -y --no-install-recommends --download-only install $libraries
    for deb in "$DIST_OUT/apt-$arch"/cache/archives/*.deb; do dpkg-deb -x "$deb" "$DIST_SYSROOT"; done
    # Archives alone: no shared library can be found by mistake, and a .pc file says where it lies.
    find "$DIST_SYSROOT" \( -name '*.so' -o -name '*.so.*' \) -path '*/lib/*' ! -type d -delete
    find "$DIST_SYSROOT" -name '*.pc' -exec sed -i "s|^prefix=/usr|prefix=$DIST_SYSROOT/usr|" {} +
    echo "$libraries" >"$DIST_OUT/$arch-sysroot.done"
}

get_sources() {
    stamp sources "$sources" && return
    mkdir -p "$DIST_OUT/source"
    for name in $sources; do
        say "source of $name"
        rm -rf "$DIST_OUT/source/$name"
        (cd "$DIST_OUT/source" && quietly "source-$name.log" private_apt "$arch" source --download-only "$name" &&
            quietly "source-$name.log" dpkg-source --no-check -x "$name"_*.dsc "$name")
    done
    echo "$sources" >"$DIST_OUT/sources.done"
}
