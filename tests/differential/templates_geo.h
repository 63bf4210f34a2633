/* templates_geo.h - places: rows of the table in templates.h.
 *
 *   $G key, mostly a sorted set of places    $O longitude    $P latitude    $R length
 *
 * The order of what is not sorted is another here; COUNT takes all, as places may be as far. 7.0 misses
 * some places near the poles and across the 180th meridian: searches keep away from them. */
{2, "GEOADD edges (0|180|-180|179.99999) (0|85.05112878|-85.05112878) $e"},
{2, "(GEOPOS|GEOHASH|GEODIST) edges $e $e"},
{8, "GEOADD $G {$O $P $e}"},
{3, "GEOADD $G $O $P $e $O $P $e $O $P $e $O $P $v $O $P $n $O $P $n"},
{3, "GEOADD $G [NX|XX|CH|XX CH|NX CH] {$O $P $e}"},
{1, "GEOADD $G (NX XX $O $P $e|$O $P|$O $P $e $O|NX CH NX|$x $O $P $e)"},
{4, "(GEOPOS|GEOHASH) $G {$e}"},
{4, "GEODIST $G $e $e [M|KM|FT|mi|$x]"},
{1, "(GEOPOS|GEOHASH|GEODIST) $Z $e $e"},
{5, "GEOSEARCH $G (FROMLONLAT $O $P|FROMMEMBER $e) BYRADIUS $R (m|KM|mi) [ASC|DESC] [WITHDIST] [WITHHASH] "
    "[WITHCOORD]"},
{4, "GEOSEARCH $G (FROMLONLAT $O $P|FROMMEMBER $e) BYBOX $R $R (m|km|ft) [ASC|DESC] [WITHDIST] [COUNT 1000 [ANY]]"},
{1, "GEOSEARCH $G (FROMLONLAT $O $P|FROMMEMBER $e|BYRADIUS 1 m|COUNT 0|ANY|$x) (BYRADIUS $R m|BYBOX 1 1 x|COUNT $i) "
    "[FROMMEMBER $e|STOREDIST|ASC]"},
{3, "GEOSEARCHSTORE $G $G (FROMLONLAT $O $P|FROMMEMBER $e) (BYRADIUS $R km|BYBOX $R $R km)"},
{1, "GEOSEARCHSTORE $k $G FROMLONLAT $O $P BYRADIUS $R km [WITHDIST|ASC]"},
{3, "(GEORADIUS|GEORADIUS_RO) $G $O $P $R km [ASC|DESC] [WITHDIST] [WITHCOORD]"},
{3, "(GEORADIUSBYMEMBER|GEORADIUSBYMEMBER_RO) $G $e $R km [ASC|DESC] [WITHDIST] [COUNT 1000]"},
{2, "(GEORADIUS $G $O $P|GEORADIUSBYMEMBER $G $e) $R km STORE $G [WITHHASH]"},
{1, "(GEORADIUS|GEORADIUS_RO|GEORADIUSBYMEMBER|GEORADIUSBYMEMBER_RO) $G $e $R $x $x [STORE $G]"},
